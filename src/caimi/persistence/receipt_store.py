"""A `ReceiptStore` in a database."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from sqlalchemy import bindparam, select, update

from caimi.errors.base import CaimiError
from caimi.errors.inference import NotAnchored, ReceiptStoreDamaged
from caimi.inference.batch_trees import BatchTrees
from caimi.inference.inclusion import Inclusion
from caimi.inference.receipt_store import MAX_BATCH, Batch, KeptReceipt
from caimi.ledgers.port import LedgerId, SignedCall
from caimi.merkle import MerkleTree, leaf_hash
from caimi.persistence.database import Database
from caimi.persistence.driver import Connection
from caimi.persistence.kinds import StoreKind
from caimi.persistence.outbox import OutboxTable
from caimi.persistence.place import Place
from caimi.persistence.prepared import Preparer
from caimi.persistence.tables.metadata import NUMBER
from caimi.persistence.tables.receipts import BATCHES, RECEIPTS
from caimi.persistence.troubles import Trouble

_NEXT_STEPS: Final = {
    Trouble.BUSY: "Try again; if it stays so, see what else uses the store.",
    Trouble.UNWRITABLE: "Make room, or let the worker's user write there; no answer was given.",
}


def _refuse(trouble: Trouble, what: str) -> CaimiError:
    return ReceiptStoreDamaged(
        f"The receipt store cannot be read or written. {what}.",
        next_step=_NEXT_STEPS.get(trouble),
    )


RECEIPTS_KIND: Final = StoreKind(
    name="receipts",
    revision="receipts_1",
    tables=frozenset({"receipts", "batches", "outbox"}),
    file_versions=frozenset({1}),
    refuse=_refuse,
)


class ReceiptStatements:
    """Every statement about receipts and batches, compiled."""

    def __init__(self, prepare: Preparer) -> None:
        row, batch = RECEIPTS.c, BATCHES.c
        waiting = (row.batch.is_(None), row.ledger == bindparam("ledger"))
        self.add = prepare.insert_new(RECEIPTS, ("digest", "ledger", "receipt"))
        self.unanchored = prepare(
            select(batch.batch, batch.root, batch.size)
            .where(batch.ledger == bindparam("ledger"), batch.anchored == 0)
            .order_by(batch.batch)
            .limit(1)
        )
        self.waiting = prepare(
            select(row.number, row.digest)
            .where(*waiting)
            .order_by(row.number)
            .limit(bindparam("most", type_=NUMBER))
        )
        closed: dict[str, object] = {name: bindparam(name) for name in ("ledger", "root", "size")}
        self.close = prepare(prepare.insert(BATCHES).values(closed).returning(batch.batch))
        self.take = prepare(
            update(RECEIPTS)
            .where(*waiting, row.number <= bindparam("last"))
            .values({"batch": bindparam("closed")})
        )
        self.anchored = prepare(
            update(BATCHES).where(batch.batch == bindparam("number")).values({"anchored": 1})
        )
        self.batch_of = prepare(
            select(row.batch)
            .join(BATCHES, row.batch == batch.batch)
            .where(row.digest == bindparam("digest"), batch.anchored == 1)
        )
        self.digests = prepare(
            select(row.digest).where(row.batch == bindparam("number")).order_by(row.number)
        )


class SqlReceiptStore:
    """A worker's receipts; each is durable before `add` returns."""

    def __init__(self, place: Place) -> None:
        self._database = Database(place, RECEIPTS_KIND)
        self._do = self._database.prepared(ReceiptStatements)
        self._outbox = self._database.prepared(OutboxTable)
        self._trees = BatchTrees()

    def add(self, receipts: Sequence[KeptReceipt]) -> None:
        """See `ReceiptStore.add`."""
        rows = [
            {"digest": kept.digest, "ledger": kept.ledger, "receipt": kept.signed.to_json()}
            for kept in receipts
        ]
        with self._database.transaction() as db:
            self._do.add.on_each(db, rows)

    def next_batch(self, ledger: LedgerId) -> Batch | None:
        """See `ReceiptStore.next_batch`."""
        with self._database.transaction() as db:
            found = self._do.unanchored.on(db, ledger=ledger).fetchone()
            return self._close_batch(db, ledger) if found is None else Batch(*found)

    def _close_batch(self, db: Connection, ledger: LedgerId) -> Batch | None:
        rows = self._do.waiting.on(db, ledger=ledger, most=MAX_BATCH).fetchall()
        if not rows:
            return None
        root = MerkleTree(leaf_hash(digest) for _, digest in rows).root
        closed = self._do.close.on(db, ledger=ledger, root=root, size=len(rows)).fetchone()
        assert closed is not None
        (number,) = closed
        self._do.take.on(db, ledger=ledger, last=rows[-1][0], closed=number)
        return Batch(number, root, len(rows))

    def mark_anchored(self, batch: Batch) -> None:
        """See `ReceiptStore.mark_anchored`."""
        with self._database.session() as db:
            self._do.anchored.on(db, number=batch.number)

    def inclusion(self, digest: bytes) -> Inclusion:
        """See `ReceiptStore.inclusion`."""
        with self._database.session() as db:
            found = self._do.batch_of.on(db, digest=digest).fetchone()
            if found is None:
                raise NotAnchored(f"Receipt 0x{digest.hex()} is in no anchored batch.")
            (number,) = found
            tree = self._trees.tree(
                number, lambda: [row[0] for row in self._do.digests.on(db, number=number)]
            )
        return tree.inclusion(digest)

    async def sent(self, key: str) -> SignedCall | None:
        """See `Outbox.sent`."""
        return await asyncio.to_thread(self._sent, key)

    def _sent(self, key: str) -> SignedCall | None:
        with self._database.session() as db:
            return self._outbox.sent(db, key)

    async def record(self, key: str, call: SignedCall) -> None:
        """See `Outbox.record`."""
        await asyncio.to_thread(self._record, key, call)

    def _record(self, key: str, call: SignedCall) -> None:
        with self._database.session() as db:
            self._outbox.add(db, key, call)

    def close(self) -> None:
        """Close it."""
        self._database.close()
