"""Roots over receipts (port `ReceiptLog`)."""

from __future__ import annotations

from caimi.contracts.receipts import ReceiptsAnchored
from caimi.ledgers.port import NEWEST, Account, At
from memory_ledger.calls import MemoryCall, same
from memory_ledger.chain import MemoryChain


class MemoryReceipts:
    """The log of one ledger in memory."""

    def __init__(self, chain: MemoryChain) -> None:
        self._chain = chain

    def anchor(self, root: bytes, count: int) -> MemoryCall[int]:
        what = f"Anchoring {count} receipts"
        return MemoryCall(self._chain.id, what, "anchor receipts", (root, count), same)

    async def anchored(self, worker: Account, root: bytes, at: At = NEWEST) -> int | None:
        state, word = self._chain.at(at), self._chain.native(worker)
        return self._chain.contracts.receipts.anchored(state, word, root)

    async def entry(self, account: Account, index: int, since: int, until: int) -> bytes | None:
        for told, _, _ in self._chain.tellings(ReceiptsAnchored, since - 1, until):
            if (told.worker, told.index) == (self._chain.native(account), index):
                return told.root
        return None
