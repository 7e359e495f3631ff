"""Append-only logs of Merkle roots over inference receipts, one log a worker.

What a worker has anchored stays anchored, with the time of its first and only anchoring.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from caimi.contracts.bounds import number, word
from caimi.contracts.execution import Effect, Execution, require
from caimi.contracts.identifiers import Account
from caimi.contracts.records import Table
from caimi.contracts.state import State
from caimi.merkle import leaf_hash, verify


@dataclass(frozen=True, slots=True)
class ReceiptsAnchored(Effect):
    """A worker anchored a batch; `index` is its place in the worker's log, from 0."""

    worker: Account
    index: int
    root: bytes
    count: int


_TIMES: Final[Table[tuple[Account, bytes], int]] = Table("receipts/times", int)
_LENGTHS: Final[Table[tuple[Account], int]] = Table("receipts/lengths", int)


class ReceiptAnchors:
    """The logs of all workers."""

    def anchor(self, call: Execution, root: bytes, count: int) -> int:
        """Anchor the root of a batch of the caller's receipts; gives its index."""
        require(any(word(root, "root")), "ZeroRoot")
        require(number(count, 32, "count") != 0, "EmptyBatch")
        state, worker = call.state, call.caller
        require(
            _TIMES.get(state, (worker, root)) is None, "AlreadyAnchored", worker=worker, root=root
        )
        index = _LENGTHS.get(state, (worker,)) or 0
        _TIMES.put(state, (worker, root), call.time)
        _LENGTHS.put(state, (worker,), index + 1)
        call.emit(ReceiptsAnchored(worker, index, root, count))
        return index

    def anchored(self, state: State, worker: Account, root: bytes) -> int | None:
        """Give when a worker anchored a root, in seconds, or None."""
        return _TIMES.get(state, (worker, root))

    def is_anchored(
        self, state: State, batch: tuple[Account, bytes], digest: bytes, proof: Sequence[bytes]
    ) -> bool:
        """Whether the receipt of a digest (32 bytes) is in the (worker, root) that was anchored.

        The leaf is OpenZeppelin's standard leaf of (bytes32 digest).
        """
        return _TIMES.get(state, batch) is not None and verify(batch[1], leaf_hash(digest), proof)
