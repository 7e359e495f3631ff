"""From an answer to its anchor: receipts written down together, then anchored batch by batch."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from caimi.errors.base import CaimiError
from caimi.inference.receipt import SignedReceipt
from caimi.inference.receipt_store import KeptReceipt, ReceiptStore
from caimi.ledgers.port import Account, AccountCodec, Done, Ledger, Signer


class ReceiptWriter:
    """Writes receipts of concurrent answers together: one synchronisation of the disk for many.

    Belongs to one event loop. `accounts` is the codec of the worker's ledger.
    """

    def __init__(self, store: ReceiptStore, accounts: AccountCodec) -> None:
        self._store = store
        self._accounts = accounts
        self._waiting: list[tuple[SignedReceipt, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def add(self, receipt: SignedReceipt) -> None:
        """Write a receipt down; it is on disk when this returns.

        Raises:
            ReceiptStoreDamaged: it cannot be written.
        """
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((receipt, written))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
        await written

    async def _write(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting, []
            failure: CaimiError | None = None
            try:
                await asyncio.to_thread(self._keep, [receipt for receipt, _ in group])
            except CaimiError as error:
                failure = error
            for _, written in group:
                if written.done():
                    continue
                if failure is None:
                    written.set_result(None)
                else:
                    written.set_exception(failure)

    def _keep(self, receipts: Sequence[SignedReceipt]) -> None:
        self._store.add([KeptReceipt.of(receipt, self._accounts) for receipt in receipts])


async def anchor_receipts(store: ReceiptStore, ledger: Ledger, signer: Signer) -> Done[int] | None:
    """Anchor the next batch of the receipts that go on `ledger`; None when there is none.

    A batch whose anchoring was interrupted comes first, and is finished, not anchored again. After
    a store was restored from a backup its root may be on the ledger already, and is only noted.
    """
    while True:
        batch = await asyncio.to_thread(store.next_batch, ledger.id)
        if batch is None:
            return None
        known = await store.sent(batch.outbox_key) is None and await ledger.receipts.anchored(
            Account(ledger.id, signer.account), batch.root
        )
        receipt = None
        if not known:
            call = ledger.receipts.anchor(batch.root, batch.size)
            receipt = await ledger.submit(call, signer, outbox=store, key=batch.outbox_key)
        await asyncio.to_thread(store.mark_anchored, batch)
        if receipt is not None:
            return receipt
