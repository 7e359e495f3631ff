"""Many mutants in one source file, each behind a switch, so that one build serves them all.

The switch is the block's beneficiary, which nothing of ours reads and which costs 2 gas: mutant
number 17 is what runs where `block.coinbase` is address 17 (`forge test --block-coinbase`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mutants.mutant import Mutant, Switch


def instrument(source: bytes, mutants: Sequence[tuple[int, Mutant]]) -> bytes:
    """Give the source with every (number, mutant) in it, none of them switched on."""
    places: dict[Switch, list[tuple[int, Mutant]]] = {}
    for number, mutant in mutants:
        assert mutant.switch is not None
        places.setdefault(mutant.switch, []).append((number, mutant))
        if mutant.switch.form == "modifier":
            after = replace(mutant.switch, start=mutant.switch.after, end=mutant.switch.after)
            places.setdefault(replace(after, form="definition"), []).append((number, mutant))
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
    if place.form == "modifier":
        return f"mutant_{number}({_names(place)})".encode()
    if place.form == "definition":
        return otherwise + _guard(number, mutant, place)
    changed = (
        source[place.start : mutant.start] + mutant.text.encode() + source[mutant.end : place.end]
    )
    on = b"block.coinbase == address(%d)" % number
    if place.form == "statement":
        return b"{ if (%b) %b else { %b } }" % (on, changed, otherwise)
    return b"(%b ? (%b) : (%b))" % (on, changed, otherwise)


def _guard(number: int, mutant: Mutant, place: Switch) -> bytes:
    """Give a modifier that does as the mutant's own, unless it is switched on."""
    return f"""
    function guard_{number}({place.parameters}) private {mutant.present} {{}}
    modifier mutant_{number}({place.parameters}) {{
        if (block.coinbase != address({number})) guard_{number}({_names(place)});
        _;
    }}
""".encode()


def _names(place: Switch) -> str:
    return ", ".join(each.split()[-1] for each in place.parameters.split(",") if each)
