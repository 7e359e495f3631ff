"""Operations: what a process has decided to do, written down before it does it.

Publishing, buying, transferring and pulling take several steps that a crash may interrupt. Each is
an `Operation` under a key that follows from its intent, so that running the same command again
finds the operation and finishes it. Transactions go through the outbox half: signed, written here,
then sent; a second run sends the same bytes, which a ledger accepts at most once.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from caimi.errors.ledgers import TransactionReverted
from caimi.journal.port import JournalStore, OperationRecord
from caimi.ledgers.port import SignedCall


def operation_key(kind: str, *intent: str) -> str:
    """Name the operation of a kind and an intent: the same in every process."""
    return f"{kind}-{hashlib.sha256(json.dumps([kind, *intent]).encode()).hexdigest()[:32]}"


class Operation:
    """One journalled operation; its facts only ever grow."""

    def __init__(self, journal: Journal, record: OperationRecord) -> None:
        self._journal = journal
        self.key = record.key
        self.kind = record.kind
        self.facts = dict(record.facts)
        self.finished = record.finished

    async def note(self, **facts: object) -> None:
        """Add JSON-able `facts` durably."""
        self.facts.update(facts)
        await self._save()

    async def finish(self) -> None:
        """Mark the operation done."""
        self.finished = True
        await self._save()

    async def _save(self) -> None:
        record = OperationRecord(self.key, self.kind, self.facts, self.finished)
        await asyncio.to_thread(self._journal.store.save, record)

    async def reopen(self) -> None:
        """Start over: forget facts and transactions of an operation that ended without effect."""
        self.facts = {}
        self.finished = False
        await asyncio.to_thread(self._journal.store.reset, self.key)

    def outbox_key(self, step: str) -> str:
        """Name the outbox entry of one of the operation's transactions."""
        return f"{self.key}/{step}"

    async def sent(self, step: str) -> bool:
        """Whether a transaction of this step was signed: it may be on its way, or have ended."""
        return await self._journal.sent(self.outbox_key(step)) is not None

    async def forget(self, step: str) -> None:
        """Forget the transaction of a step, once it has had its effect or can have none."""
        await self._journal.forget(self.outbox_key(step))


class Journal:
    """Journal and outbox over a store; every write is durable when it returns.

    `path` is where its further files are, each with this path and a dot before its name.
    """

    def __init__(self, store: JournalStore, path: Path) -> None:
        self.store = store
        self._path = path

    @asynccontextmanager
    async def operation(self, kind: str, *intent: str) -> AsyncIterator[Operation]:
        """Open the operation that `kind` and `intent` name, new or left over from an earlier run.

        Only one process at a time may hold an operation; the lock goes when the process dies.

        Raises:
            JournalBusy: another process is at it.
            JournalUnwritable, JournalDamaged, DatabaseUnreachable: it cannot be written down.
        """
        key = operation_key(kind, *intent)
        with self.store.exclusive(key, kind):
            yield Operation(self, await asyncio.to_thread(self.store.take_up, key, kind))

    @asynccontextmanager
    async def once(self, kind: str, *intent: str) -> AsyncIterator[Operation]:
        """Open an operation that is finished with the block, and begun anew when it was before.

        So a run that was killed is finished by the next, and one that ended may be repeated. What
        the ledger refuses is forgotten. Raises as `operation`.
        """
        async with self.operation(kind, *intent) as operation:
            if operation.finished:
                await operation.reopen()
            try:
                yield operation
            except TransactionReverted:
                await operation.reopen()
                raise
            await operation.finish()

    async def find(self, key: str) -> OperationRecord | None:
        """Read one operation without taking it up."""
        return await asyncio.to_thread(self.store.find, key)

    async def operations(self) -> list[OperationRecord]:
        """List all operations, oldest first."""
        return await asyncio.to_thread(self.store.operations)

    async def sent(self, key: str) -> SignedCall | None:
        """Give the transaction recorded under `key` (port `Outbox`)."""
        return await asyncio.to_thread(self.store.sent, key)

    async def record(self, key: str, call: SignedCall) -> None:
        """Write a signed transaction down under `key` (port `Outbox`)."""
        await asyncio.to_thread(self.store.record, key, call)

    async def forget(self, key: str) -> None:
        """Forget what was signed under `key`, once it has had its effect or can have none."""
        await asyncio.to_thread(self.store.forget, key)

    def beside(self, name: str) -> Path:
        """Give the path of a further file that belongs to the journal; `name` has no slash."""
        return self._path.with_name(f"{self._path.name}.{name}")

    def close(self) -> None:
        """Close the store."""
        self.store.close()
