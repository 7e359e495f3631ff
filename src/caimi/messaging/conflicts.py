"""Signed statements that contradict each other, found among the proofs that ledgers accepted."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError

from caimi.ibc.statements import PROOF_TYPE

REMEMBERED: Final = 100_000
_CHECKPOINT: Final = 0


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two proofs as `CommitteeClient.reportConflict` takes them."""

    first: bytes
    second: bytes


@dataclass(frozen=True, slots=True)
class _Said:
    """What one statement says of blocks (start, height] of a ledger, and the proof it came in."""

    start: int
    height: int
    time: int
    root: bytes
    size: int
    proof: bytes


@dataclass(slots=True)
class _Origin:
    """What one committee said of a ledger: the first statement of each height and each range."""

    heights: list[int] = field(default_factory=list)
    first: dict[int, _Said] = field(default_factory=dict)
    ranges: dict[tuple[int, int], _Said] = field(default_factory=dict)

    def contradiction(self, said: _Said) -> _Said | None:
        """Give what `said` cannot be true beside (CommitteeStatements.contradict)."""
        same = self.ranges.get((said.start, said.height))
        if same is not None and (same.time, same.root, same.size) != (
            said.time,
            said.root,
            said.size,
        ):
            return same
        place = bisect_left(self.heights, said.height)
        # Neighbours are enough: those remembered do not contradict each other.
        for height in self.heights[max(place - 1, 0) : place + 2]:
            other = self.first[height]
            earlier, later = sorted((other, said), key=lambda each: each.height)
            if earlier.time > later.time or (height == said.height and other.time != said.time):
                return other
        return None

    def remember(self, said: _Said) -> None:
        self.ranges.setdefault((said.start, said.height), said)
        if said.height not in self.first:
            self.heights.insert(bisect_left(self.heights, said.height), said.height)
            self.first[said.height] = said

    def forget(self, said: _Said) -> None:
        self.ranges.pop((said.start, said.height), None)
        if self.first.get(said.height) is said:
            del self.first[said.height]
            del self.heights[bisect_left(self.heights, said.height)]


class Conflicts:
    """Remembers one proof for each range a committee signed, the newest `REMEMBERED` of them.

    Two committees that contradict each other are of two routes, or of two epochs of one: that one
    of them lies does not say which.
    """

    def __init__(self) -> None:
        self._origins: dict[tuple[bytes, bytes], _Origin] = {}
        self._order: deque[tuple[tuple[bytes, bytes], _Said]] = deque()

    def add(self, proof: bytes) -> Conflict | None:
        """Take a proof that a ledger accepted; give the conflict when it contradicts another.

        Two contents of one range, two times of one height, or a time that runs backwards. Proofs
        of other clients than a committee's are passed over.
        """
        try:
            ((members, *_),) = decode((PROOF_TYPE,), proof)
        except (DecodingError, OverflowError, ValueError):
            return None
        origin, committee, start, height, time, root, size = members
        whose = (origin, committee)
        said = _Said(start, height, time, root, size, proof)
        known = self._origins.setdefault(whose, _Origin())
        other = known.contradiction(said)
        if other is not None:
            return Conflict(_evidence(other.proof), _evidence(proof))
        if (start, height) not in known.ranges:
            known.remember(said)
            self._order.append((whose, said))
        while len(self._order) > REMEMBERED:
            oldest, gone = self._order.popleft()
            self._origins[oldest].forget(gone)
        return None


def _evidence(proof: bytes) -> bytes:
    """Write abi.encode(StatementKind.Checkpoint, CommitteeProof)."""
    return encode(("uint8", PROOF_TYPE), (_CHECKPOINT, *decode((PROOF_TYPE,), proof)))
