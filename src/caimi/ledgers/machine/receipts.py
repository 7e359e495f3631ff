"""Roots over receipts (port `ReceiptLog`)."""

from __future__ import annotations

from caimi.contracts.receipts import ReceiptsAnchored
from caimi.ledgers.machine.calls import MachineCall, same
from caimi.ledgers.machine.fresh import answering_freshly
from caimi.ledgers.machine.machine import Machine
from caimi.ledgers.port import NEWEST, Account, At


@answering_freshly
class MachineReceipts:
    """The log of one ledger."""

    def __init__(self, chain: Machine) -> None:
        self._chain = chain

    def anchor(self, root: bytes, count: int) -> MachineCall[int]:
        what = f"Anchoring {count} receipts"
        return MachineCall(self._chain.id, what, "anchor receipts", (root, count), same)

    async def anchored(self, worker: Account, root: bytes, at: At = NEWEST) -> int | None:
        state, word = self._chain.at(at), self._chain.native(worker)
        return self._chain.contracts.receipts.anchored(state, word, root)

    async def entry(self, account: Account, index: int, since: int, until: int) -> bytes | None:
        for told, _, _ in self._chain.told_of(ReceiptsAnchored, since - 1, until):
            if (told.worker, told.index) == (self._chain.native(account), index):
                return told.root
        return None
