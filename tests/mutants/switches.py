"""Many mutants in one source file, each behind a switch, so that one build serves them all.

The switch is the block's beneficiary, which nothing of ours reads and which costs 2 gas: mutant
number 17 is what runs where `block.coinbase` is address 17 (`forge test --block-coinbase`).
"""

from __future__ import annotations

from collections.abc import Sequence

from mutants.mutant import Mutant, Switch


def instrument(source: bytes, mutants: Sequence[tuple[int, Mutant]]) -> bytes:
    """Give the source with every (number, mutant) in it, none of them switched on."""
    places: dict[Switch, list[tuple[int, Mutant]]] = {}
    for number, mutant in mutants:
        assert mutant.switch is not None
        places.setdefault(mutant.switch, []).append((number, mutant))
    # Outer places before the inner ones; of equal places, statements around expressions.
    ordered = sorted(places, key=lambda s: (s.start, -s.end, s.form == "expression"))
    return _emit(source, 0, len(source), ordered, places)


def _emit(
    source: bytes,
    start: int,
    end: int,
    inside: list[Switch],
    places: dict[Switch, list[tuple[int, Mutant]]],
) -> bytes:
    """Write the bytes [start, end) with the places that lie in them."""
    out = bytearray()
    while inside:
        outer, *rest = inside
        nested = [place for place in rest if place.start < outer.end]
        inside = rest[len(nested) :]
        out += source[start : outer.start]
        text = _emit(source, outer.start, outer.end, nested, places)
        for number, mutant in places[outer]:
            text = _switched(source, outer, number, mutant, text)
        out += text
        start = outer.end
    return bytes(out + source[start:end])


def _switched(source: bytes, place: Switch, number: int, mutant: Mutant, otherwise: bytes) -> bytes:
    changed = (
        source[place.start : mutant.start] + mutant.text.encode() + source[mutant.end : place.end]
    )
    on = b"block.coinbase == address(%d)" % number
    if place.form == "statement":
        return b"{ if (%b) %b else { %b } }" % (on, changed, otherwise)
    return b"(%b ? (%b) : (%b))" % (on, changed, otherwise)
