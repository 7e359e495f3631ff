"""Statements that cannot both be true are found, and none that can."""

from __future__ import annotations

import itertools

from eth_abi.abi import decode, encode
from hypothesis import given
from hypothesis import strategies as st

from caimi.ibc.statements import ABI_TYPES
from caimi.messaging import conflicts
from caimi.messaging.conflicts import Conflicts

_TYPE = f"(({','.join(ABI_TYPES)}),uint256,bytes,bytes32[],bool[])"
_ORIGIN = b"o" * 32
Said = tuple[int, int, int, int]


def proof(
    start: int,
    height: int,
    time: int,
    root: int = 1,
    *,
    origin: bytes = _ORIGIN,
    committee: bytes = b"c" * 32,
) -> bytes:
    statement = (origin, committee, start, height, time, root.to_bytes(32), 1)
    return encode((_TYPE,), ((statement, 0, b"", [], []),))


def contradict(a: Said, b: Said) -> bool:
    """CommitteeStatements.contradict, word for word."""
    if a[1] < b[1]:
        return a[2] > b[2]
    if a[1] > b[1]:
        return a[2] < b[2]
    if a[2] != b[2]:
        return True
    return a[0] == b[0] and a[3] != b[3]


small = st.integers(0, 4)
statements = st.tuples(small, st.integers(5, 12), st.integers(0, 6), st.integers(1, 2))


@given(st.lists(statements, max_size=12))
def test_a_conflict_is_found_exactly_when_a_statement_contradicts_one_kept(
    told: list[Said],
) -> None:
    seen, kept = Conflicts(), []
    for said in told:
        found = seen.add(proof(*said))
        assert (found is not None) == any(contradict(said, other) for other in kept)
        if found is None:
            kept.append(said)
            continue
        assert read(found.second) == said
        assert contradict(read(found.first), said)


def read(evidence: bytes) -> Said:
    kind, (statement, *_) = decode(("uint8", _TYPE), evidence)
    _, _, start, height, time, root, _ = statement
    assert kind == 0
    return start, height, time, int.from_bytes(root)


def test_other_ledgers_and_other_clients_proofs_are_passed_over() -> None:
    seen = Conflicts()
    assert seen.add(proof(1, 5, 100)) is None
    assert seen.add(proof(1, 6, 50, origin=b"p" * 32)) is None
    assert seen.add(b"no committee's proof") is None


def test_what_another_routes_committee_signed_accuses_nobody() -> None:
    seen = Conflicts()
    assert seen.add(proof(1, 5, 100)) is None
    assert seen.add(proof(1, 5, 100, root=2, committee=b"d" * 32)) is None
    assert seen.add(proof(1, 5, 100, root=2)) is not None


def test_what_is_remembered_is_bounded(monkeypatch) -> None:
    monkeypatch.setattr(conflicts, "REMEMBERED", 3)
    seen = Conflicts()
    for height in itertools.islice(itertools.count(10), 50):
        assert seen.add(proof(height - 1, height, height)) is None
    (known,) = seen._origins.values()
    assert len(seen._order) == len(known.heights) == len(known.first) == len(known.ranges) == 3
