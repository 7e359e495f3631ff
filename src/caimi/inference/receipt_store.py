"""A worker's receipts on disk, in batches: closed once, anchored once, each receipt provable."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from caimi.errors.inference import NotAnchored, ReceiptStoreDamaged
from caimi.inference.inclusion import Inclusion
from caimi.inference.receipt import SignedReceipt
from caimi.ledgers.port import LedgerId, SignedCall
from caimi.merkle import MerkleTree, leaf_hash

MAX_BATCH: Final = 100_000
_TREES_KEPT: Final = 8
_SCHEMA_VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE receipts (
    number INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, ledger TEXT NOT NULL,
    receipt TEXT NOT NULL, batch INTEGER REFERENCES batches (batch)
) STRICT;
CREATE INDEX by_batch ON receipts (batch, ledger, number);
CREATE TABLE batches (
    batch INTEGER PRIMARY KEY, ledger TEXT NOT NULL, root BLOB NOT NULL, size INTEGER NOT NULL,
    anchored INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE outbox (
    key TEXT PRIMARY KEY, ledger TEXT NOT NULL, what TEXT NOT NULL, tx TEXT NOT NULL,
    raw BLOB NOT NULL
) STRICT;
"""


@dataclass(frozen=True, slots=True)
class Batch:
    """A closed batch: its receipts, and so its root, change no more."""

    number: int
    root: bytes
    size: int

    @property
    def outbox_key(self) -> str:
        """The name of its transaction in the outbox."""
        return f"batch/{self.number}"


class ReceiptStore:
    """A worker's receipts in one file; each is on disk before `add` returns.

    Also the outbox of the batches' transactions (port `Outbox`). Every method raises
    `ReceiptStoreDamaged` when the file is no such store, or cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._trees: dict[int, tuple[MerkleTree, dict[bytes, int]]] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        except (sqlite3.Error, OSError) as error:
            raise ReceiptStoreDamaged(f"{path} cannot be opened: {error}.") from error
        try:
            with self._statement():
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.execute("PRAGMA synchronous = FULL")
                self._db.execute("PRAGMA busy_timeout = 10000")
            self._prepare()
        except ReceiptStoreDamaged:
            self._db.close()
            raise

    def _prepare(self) -> None:
        with self._transaction():
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            (tables,) = self._db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            if version == _SCHEMA_VERSION:
                return
            if version or tables:
                raise ReceiptStoreDamaged(f"{self._path} is no receipt store of this version.")
            for statement in _SCHEMA.split(";"):
                self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")

    @contextmanager
    def _statement(self) -> Iterator[None]:
        with self._lock:
            try:
                yield
            except sqlite3.Error as error:
                raise ReceiptStoreDamaged(
                    f"The receipt store {self._path} cannot be read or written: {error}."
                ) from error

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._statement():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def add(self, receipts: Sequence[SignedReceipt]) -> None:
        """Write receipts down; one that is here already is left as it is."""
        rows = [(r.receipt.digest, r.receipt.ledger, r.to_json()) for r in receipts]
        with self._transaction():
            self._db.executemany(
                "INSERT OR IGNORE INTO receipts (digest, ledger, receipt) VALUES (?, ?, ?)", rows
            )

    def next_batch(self, ledger: LedgerId) -> Batch | None:
        """Give what to anchor on `ledger`: a batch not anchored yet, a new one, or None."""
        with self._transaction():
            found = self._db.execute(
                "SELECT batch, root, size FROM batches WHERE ledger = ? AND NOT anchored "
                "ORDER BY batch LIMIT 1",
                (ledger,),
            ).fetchone()
            return self._close_batch(ledger) if found is None else Batch(*found)

    def _close_batch(self, ledger: LedgerId) -> Batch | None:
        rows = self._db.execute(
            "SELECT number, digest FROM receipts WHERE batch IS NULL AND ledger = ? "
            "ORDER BY number LIMIT ?",
            (ledger, MAX_BATCH),
        ).fetchall()
        if not rows:
            return None
        root = MerkleTree(leaf_hash(digest) for _, digest in rows).root
        number = self._db.execute(
            "INSERT INTO batches (ledger, root, size) VALUES (?, ?, ?)", (ledger, root, len(rows))
        ).lastrowid
        assert number is not None
        self._db.execute(
            "UPDATE receipts SET batch = ? WHERE batch IS NULL AND ledger = ? AND number <= ?",
            (number, ledger, rows[-1][0]),
        )
        return Batch(number, root, len(rows))

    def mark_anchored(self, batch: Batch) -> None:
        """Note that a batch's root is on its ledger."""
        with self._statement():
            self._db.execute("UPDATE batches SET anchored = 1 WHERE batch = ?", (batch.number,))

    def inclusion(self, digest: bytes) -> Inclusion:
        """Prove a receipt's place in its anchored batch.

        Raises:
            NotAnchored: it is unknown here, or its batch is not anchored yet.
        """
        with self._statement():
            found = self._db.execute(
                "SELECT batch FROM receipts JOIN batches USING (batch) "
                "WHERE digest = ? AND anchored",
                (digest,),
            ).fetchone()
            if found is None:
                raise NotAnchored(f"Receipt 0x{digest.hex()} is in no anchored batch.")
            tree, places = self._tree(found[0])
        return Inclusion(tree.root, tree.proof(places[digest]))

    def _tree(self, batch: int) -> tuple[MerkleTree, dict[bytes, int]]:
        """Give a closed batch's tree; the last few are kept, for one of 100,000 takes a second."""
        if batch not in self._trees:
            digests = [
                row[0]
                for row in self._db.execute(
                    "SELECT digest FROM receipts WHERE batch = ? ORDER BY number", (batch,)
                )
            ]
            places = {digest: place for place, digest in enumerate(digests)}
            if len(self._trees) >= _TREES_KEPT:
                self._trees.pop(next(iter(self._trees)))
            self._trees[batch] = (MerkleTree(map(leaf_hash, digests)), places)
        return self._trees[batch]

    async def sent(self, key: str) -> SignedCall | None:
        """Give the transaction written down under `key`; see `Outbox.sent`."""
        return await asyncio.to_thread(self._sent, key)

    def _sent(self, key: str) -> SignedCall | None:
        with self._statement():
            row = self._db.execute(
                "SELECT ledger, what, tx, raw FROM outbox WHERE key = ?", (key,)
            ).fetchone()
        return None if row is None else SignedCall(*row)

    async def record(self, key: str, call: SignedCall) -> None:
        """Write a transaction down under `key`; see `Outbox.record`."""
        await asyncio.to_thread(self._record, key, call)

    def _record(self, key: str, call: SignedCall) -> None:
        with self._statement():
            self._db.execute(
                "INSERT INTO outbox (key, ledger, what, tx, raw) VALUES (?, ?, ?, ?, ?)",
                (key, call.ledger, call.what, call.tx, call.raw),
            )

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()
