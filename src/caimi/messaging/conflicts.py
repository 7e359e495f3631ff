"""Signed statements that contradict each other, found among the proofs that ledgers accepted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError

from caimi.messaging.checkpoint import ABI_TYPES

REMEMBERED: Final = 100_000
_PROOF_TYPE: Final = f"(({','.join(ABI_TYPES)}),uint256,bytes,bytes32[],bool[])"
_CHECKPOINT: Final = 0


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two proofs as `CommitteeClient.reportConflict` takes them."""

    first: bytes
    second: bytes


class Conflicts:
    """Remembers one proof for each signed range, the newest `REMEMBERED` of them."""

    def __init__(self) -> None:
        self._ranges: dict[tuple[bytes, int, int], tuple[tuple[int, bytes, int], bytes]] = {}

    def add(self, proof: bytes) -> Conflict | None:
        """Take a delivery's proof; give the conflict when it contradicts an earlier one.

        Proofs of other clients than a committee's are passed over.
        """
        try:
            ((members, *_),) = decode((_PROOF_TYPE,), proof)
        except (DecodingError, OverflowError, ValueError):
            return None
        origin, _, start, height, time, root, size = members
        known = self._ranges.pop((origin, start, height), None)
        said = (time, root, size)
        if known is None or known[0] == said:
            self._ranges[origin, start, height] = known or (said, proof)
            while len(self._ranges) > REMEMBERED:
                self._ranges.pop(next(iter(self._ranges)))
            return None
        self._ranges[origin, start, height] = known
        return Conflict(_evidence(known[1]), _evidence(proof))


def _evidence(proof: bytes) -> bytes:
    """Write abi.encode(StatementKind.Checkpoint, CommitteeProof)."""
    return encode(("uint8", _PROOF_TYPE), (_CHECKPOINT, *decode((_PROOF_TYPE,), proof)))
