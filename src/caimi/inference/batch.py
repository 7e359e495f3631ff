"""Receipts in Merkle batches: written down before the answer leaves, anchored once, provable."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from caimi.errors.inference import NotAnchored, ReceiptMalformed, ReceiptStoreDamaged
from caimi.inference.receipt import SignedReceipt
from caimi.ledgers.port import Ledger, Outbox, SignedCall, Signer, TxReceipt
from caimi.merkle import MerkleTree, verify

MAX_BATCH: Final = 100_000
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS receipts (
    number INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, leaf BLOB NOT NULL,
    receipt TEXT NOT NULL, batch INTEGER
) STRICT;
CREATE INDEX IF NOT EXISTS by_batch ON receipts (batch, number);
CREATE TABLE IF NOT EXISTS batches (
    batch INTEGER PRIMARY KEY, root BLOB NOT NULL, size INTEGER NOT NULL,
    tx TEXT, raw BLOB, ledger TEXT, what TEXT, done INTEGER NOT NULL DEFAULT 0
) STRICT;
"""


@dataclass(frozen=True, slots=True)
class Inclusion:
    """A proof that a receipt is in a batch whose root its worker anchored."""

    root: bytes
    proof: tuple[bytes, ...]

    def holds(self, receipt: SignedReceipt) -> bool:
        """Whether the receipt is under the root; whether that is anchored, a ledger says."""
        return verify(self.root, receipt.receipt.leaf, self.proof)

    def as_document(self) -> dict[str, object]:
        """Give the JSON form."""
        return {"root": f"0x{self.root.hex()}", "proof": [f"0x{node.hex()}" for node in self.proof]}

    @classmethod
    def from_document(cls, document: object) -> Inclusion:
        """Take the JSON form, strictly.

        Raises:
            ReceiptMalformed: it is anything else.
        """
        match document:
            case {"root": str(root), "proof": list(proof), **rest} if not rest and len(proof) <= 64:
                return cls(_hash(root), tuple(_hash(str(node)) for node in proof))
        raise ReceiptMalformed("An inclusion proof does not have the fields it must have.")


class ReceiptStore:
    """A worker's receipts in one file; each is on disk before `add` returns.

    Raises `ReceiptStoreDamaged` when the file is no such store.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        try:
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(_SCHEMA)
        except sqlite3.DatabaseError as error:
            raise ReceiptStoreDamaged(f"{path} is no receipt store: {error}.") from error

    def add(self, receipts: Sequence[SignedReceipt]) -> None:
        """Write receipts down."""
        rows = [(r.receipt.digest, r.receipt.leaf, r.to_json()) for r in receipts]
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(
                "INSERT OR IGNORE INTO receipts (digest, leaf, receipt) VALUES (?, ?, ?)", rows
            )
            self._db.execute("COMMIT")

    def next_batch(self) -> tuple[int, bytes, int] | None:
        """Give (batch, root, size) of what to anchor: an unfinished batch, a new one, or None."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                found = self._db.execute(
                    "SELECT batch, root, size FROM batches WHERE NOT done ORDER BY batch LIMIT 1"
                ).fetchone()
                return found if found is not None else self._close_batch()
            finally:
                self._db.execute("COMMIT")

    def _close_batch(self) -> tuple[int, bytes, int] | None:
        rows = self._db.execute(
            "SELECT number, leaf FROM receipts WHERE batch IS NULL ORDER BY number LIMIT ?",
            (MAX_BATCH,),
        ).fetchall()
        if not rows:
            return None
        root = MerkleTree(leaf for _, leaf in rows).root
        cursor = self._db.execute(
            "INSERT INTO batches (root, size) VALUES (?, ?)", (root, len(rows))
        )
        batch = cursor.lastrowid or 0
        self._db.execute(
            "UPDATE receipts SET batch = ? WHERE batch IS NULL AND number <= ?",
            (batch, rows[-1][0]),
        )
        return batch, root, len(rows)

    def outbox(self, batch: int) -> BatchOutbox:
        """Give the place where the batch's transaction is written down."""
        return BatchOutbox(self, batch)

    def anchored(self, batch: int) -> None:
        """Mark a batch as anchored."""
        with self._lock:
            self._db.execute("UPDATE batches SET done = 1 WHERE batch = ?", (batch,))

    def inclusion(self, digest: bytes) -> Inclusion:
        """Prove a receipt's place in its anchored batch.

        Raises:
            NotAnchored: it is unknown here, or its batch is not anchored yet.
        """
        with self._lock:
            found = self._db.execute(
                "SELECT receipts.number, batches.batch, batches.root FROM receipts "
                "JOIN batches USING (batch) WHERE digest = ? AND done",
                (digest,),
            ).fetchone()
            if found is None:
                raise NotAnchored(f"Receipt 0x{digest.hex()} is in no anchored batch.")
            number, batch, root = found
            rows = self._db.execute(
                "SELECT number, leaf FROM receipts WHERE batch = ? ORDER BY number", (batch,)
            ).fetchall()
        tree = MerkleTree(leaf for _, leaf in rows)
        place = next(at for at, (row, _) in enumerate(rows) if row == number)
        return Inclusion(root, tree.proof(place))

    def _transaction(self, batch: int) -> SignedCall | None:
        with self._lock:
            row = self._db.execute(
                "SELECT ledger, what, tx, raw FROM batches WHERE batch = ? AND raw IS NOT NULL",
                (batch,),
            ).fetchone()
        return None if row is None else SignedCall(row[0], row[1], row[2], bytes(row[3]))

    def _record(self, batch: int, call: SignedCall) -> None:
        with self._lock:
            self._db.execute(
                "UPDATE batches SET ledger = ?, what = ?, tx = ?, raw = ? WHERE batch = ?",
                (call.ledger, call.what, call.tx, call.raw, batch),
            )

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()


class BatchOutbox:
    """The outbox of one batch's transaction (port `Outbox`)."""

    def __init__(self, store: ReceiptStore, batch: int) -> None:
        self._store = store
        self._batch = batch

    async def sent(self, key: str) -> SignedCall | None:
        """Give the recorded transaction."""
        return self._store._transaction(self._batch)

    async def record(self, key: str, call: SignedCall) -> None:
        """Write the transaction down."""
        self._store._record(self._batch, call)


class ReceiptLog:
    """Writes receipts of concurrent answers together: one synchronisation of the disk for many."""

    def __init__(self, store: ReceiptStore) -> None:
        self.store = store
        self._waiting: list[tuple[SignedReceipt, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def add(self, receipt: SignedReceipt) -> None:
        """Write a receipt down; it is on disk when this returns."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((receipt, written))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
        await written

    async def _write(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting, []
            try:
                await asyncio.to_thread(self.store.add, [receipt for receipt, _ in group])
            except (sqlite3.Error, OSError) as error:
                for _, written in group:
                    if not written.done():
                        written.set_exception(ReceiptStoreDamaged(f"Writing failed: {error}."))
                continue
            for _, written in group:
                if not written.done():
                    written.set_result(None)


async def anchor_receipts(store: ReceiptStore, ledger: Ledger, signer: Signer) -> TxReceipt | None:
    """Anchor the next batch, or finish one that a crash interrupted; None when there is none."""
    found = store.next_batch()
    if found is None:
        return None
    batch, root, size = found
    outbox: Outbox = store.outbox(batch)
    receipt = await ledger.submit(
        ledger.receipts.anchor(root, size), signer, outbox=outbox, key=str(batch)
    )
    store.anchored(batch)
    return receipt


def _hash(text: str) -> bytes:
    try:
        value = bytes.fromhex(text.removeprefix("0x"))
    except ValueError as error:
        raise ReceiptMalformed("A hash must be 0x and 64 hex digits.") from error
    if len(value) != 32:
        raise ReceiptMalformed("A hash must be 0x and 64 hex digits.")
    return value
