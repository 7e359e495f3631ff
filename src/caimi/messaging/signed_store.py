"""A validator's memory of what it signed, so that it never contradicts itself."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import Protocol

from caimi.errors.messaging import AlreadySignedOtherwise, SignedStoreDamaged
from caimi.messaging.checkpoint import Kind, Statement

_SCHEMA = """
CREATE TABLE IF NOT EXISTS blocks (
    origin BLOB NOT NULL, height INTEGER NOT NULL, time INTEGER NOT NULL,
    PRIMARY KEY (origin, height)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ranges (
    origin BLOB NOT NULL, start INTEGER NOT NULL, height INTEGER NOT NULL,
    root BLOB NOT NULL, size INTEGER NOT NULL,
    PRIMARY KEY (origin, start, height)
) STRICT, WITHOUT ROWID;
"""


class SignedStore(Protocol):
    """Remembers statements before they are signed."""

    def remember(self, statement: Statement) -> None:
        """Write `statement` down durably.

        Raises:
            AlreadySignedOtherwise: it gives a height another time, or a range another root, than
                an earlier one did.
        """


class SqliteSignedStore:
    """A `SignedStore` in one file, on disk (synchronous=FULL) before `remember` returns.

    Raises `SignedStoreDamaged` when the file is no such store.
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
            raise SignedStoreDamaged(
                f"{path} is no record of signed statements: {error}."
            ) from error

    def remember(self, statement: Statement) -> None:
        """See `SignedStore.remember`; raises `SignedStoreDamaged` when it cannot be written."""
        try:
            with self._lock:
                self._transact(statement)
        except (sqlite3.Error, OverflowError) as error:
            raise SignedStoreDamaged(
                f"Blocks up to {statement.height} cannot be recorded: {error}."
            ) from error

    def _transact(self, statement: Statement) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._remember(statement)
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def _remember(self, said: Statement) -> None:
        block = (said.origin, said.height)
        self._db.execute("INSERT OR IGNORE INTO blocks VALUES (?, ?, ?)", (*block, said.time))
        (time,) = self._db.execute(
            "SELECT time FROM blocks WHERE origin = ? AND height = ?", block
        ).fetchone()
        if time != said.time:
            raise AlreadySignedOtherwise(
                f"Block {said.height} had time {time} when it was signed before, now {said.time}."
            )
        if said.kind is Kind.ABSENCE:
            return
        span = (said.origin, said.from_height, said.height)
        self._db.execute(
            "INSERT OR IGNORE INTO ranges VALUES (?, ?, ?, ?, ?)", (*span, said.root, said.size)
        )
        signed = self._db.execute(
            "SELECT root, size FROM ranges WHERE origin = ? AND start = ? AND height = ?", span
        ).fetchone()
        if signed != (said.root, said.size):
            raise AlreadySignedOtherwise(
                f"Blocks ({said.from_height}, {said.height}] had root 0x{signed[0].hex()} when "
                f"they were signed before, now 0x{said.root.hex()}."
            )

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()
