"""The journal: what a process has decided to do, written down before it does it.

Publishing, buying, transferring and pulling take several steps that a crash may interrupt. Each is
an `Operation` under a key that follows from its intent, so that running the same command again
finds the operation and finishes it. Transactions go through the outbox half: signed, written here,
then sent; a second run sends the same bytes, which a ledger accepts at most once.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import os
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from caimi.errors.base import CaimiError
from caimi.errors.ledgers import TransactionReverted
from caimi.errors.operations import JournalBusy, JournalDamaged, JournalUnwritable
from caimi.ledgers.port import LedgerId, SignedCall

T = TypeVar("T")

_SURROUNDINGS = ("SQLITE_CANTOPEN", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_PERM")
"""How SQLite names what the disk and its permissions do, and not the file's content."""

_SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE operations (
    key TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    facts TEXT NOT NULL,
    finished INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE outbox (
    key TEXT PRIMARY KEY,
    ledger TEXT NOT NULL,
    what TEXT NOT NULL,
    tx TEXT NOT NULL,
    raw BLOB NOT NULL
) STRICT;
"""


@dataclass(frozen=True, slots=True)
class OperationRecord:
    """One line of the journal."""

    key: str
    kind: str
    facts: dict[str, object]
    finished: bool


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
        await self._journal._save(self)

    async def finish(self) -> None:
        """Mark the operation done."""
        self.finished = True
        await self._journal._save(self)

    async def reopen(self) -> None:
        """Start over: forget facts and transactions of an operation that ended without effect."""
        self.facts = {}
        self.finished = False
        await self._journal._reset(self)

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
    """Journal and outbox in SQLite; every write is on disk (synchronous=FULL) when it returns."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists() and not path.is_file():
                raise JournalDamaged(f"The journal {path} is no plain file.")
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute("PRAGMA busy_timeout = 10000")
            self._migrate()
            path.chmod(0o600)
        except (sqlite3.Error, OSError) as error:
            raise self._failed(error) from error

    def _failed(self, error: sqlite3.Error | OSError) -> CaimiError:
        name = getattr(error, "sqlite_errorname", "")
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            return JournalBusy(f"Another process holds the journal {self._path}.")
        if isinstance(error, OSError) or name.startswith(_SURROUNDINGS):
            said = error.strerror if isinstance(error, OSError) else error
            return JournalUnwritable(f"The journal {self._path} cannot be written: {said}.")
        return JournalDamaged(f"The journal {self._path} cannot be read: {error}.")

    def _migrate(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version == 0:
            for statement in _SCHEMA.split(";"):
                if statement.strip():
                    self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
        self._db.execute("COMMIT")
        if version > _SCHEMA_VERSION:
            raise JournalDamaged(
                f"The journal {self._path} has schema {version}, newer than {_SCHEMA_VERSION}.",
                why="It was written by a newer CAIMI.",
                next_step="Upgrade CAIMI, or set state in caimi.toml to another directory.",
            )

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def guarded() -> T:
            with self._lock:
                try:
                    return work(self._db)
                except sqlite3.Error as error:
                    if self._db.in_transaction:
                        self._db.rollback()
                    raise self._failed(error) from error

        return await asyncio.to_thread(guarded)

    @asynccontextmanager
    async def operation(self, kind: str, *intent: str) -> AsyncIterator[Operation]:
        """Open the operation that `kind` and `intent` name, new or left over from an earlier run.

        Only one process at a time may hold an operation; the lock goes when the process dies.

        Raises:
            JournalBusy: another process is at it.
            JournalUnwritable, JournalDamaged: it cannot be written down.
        """
        key = operation_key(kind, *intent)
        with _exclusive(self.beside(f"{key}.lock"), kind):
            record = await self._run(lambda db: _find_or_insert(db, key, kind))
            yield Operation(self, record)

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
        row = await self._run(
            lambda db: db.execute(
                "SELECT kind, facts, finished FROM operations WHERE key = ?", (key,)
            ).fetchone()
        )
        if row is None:
            return None
        kind, facts, finished = row
        return OperationRecord(key, kind, _facts(key, facts), bool(finished))

    async def operations(self) -> list[OperationRecord]:
        """List all operations, oldest first."""
        return await self._run(
            lambda db: [
                OperationRecord(key, kind, _facts(key, facts), bool(finished))
                for key, kind, facts, finished in db.execute(
                    "SELECT key, kind, facts, finished FROM operations ORDER BY rowid"
                )
            ]
        )

    async def _save(self, operation: Operation) -> None:
        row = (json.dumps(operation.facts), int(operation.finished), operation.key)
        await self._run(
            lambda db: db.execute(
                "UPDATE operations SET facts = ?, finished = ? WHERE key = ?", row
            )
        )

    async def _reset(self, operation: Operation) -> None:
        def work(db: sqlite3.Connection) -> None:
            db.execute("BEGIN IMMEDIATE")
            db.execute(
                "DELETE FROM outbox WHERE substr(key, 1, ?) = ?",
                (len(operation.key) + 1, f"{operation.key}/"),
            )
            db.execute(
                "UPDATE operations SET facts = '{}', finished = 0 WHERE key = ?", (operation.key,)
            )
            db.execute("COMMIT")

        await self._run(work)

    async def sent(self, key: str) -> SignedCall | None:
        """Give the transaction recorded under `key` (port `Outbox`)."""
        row = await self._run(
            lambda db: db.execute(
                "SELECT ledger, what, tx, raw FROM outbox WHERE key = ?", (key,)
            ).fetchone()
        )
        if row is None:
            return None
        ledger, what, tx, raw = row
        return SignedCall(LedgerId(ledger), what, tx, bytes(raw))

    async def record(self, key: str, call: SignedCall) -> None:
        """Write a signed transaction down under `key` (port `Outbox`)."""
        row = (key, call.ledger, call.what, call.tx, call.raw)
        await self._run(
            lambda db: db.execute("INSERT OR REPLACE INTO outbox VALUES (?, ?, ?, ?, ?)", row)
        )

    async def forget(self, key: str) -> None:
        """Forget what was signed under `key`, once it has had its effect or can have none."""
        await self._run(
            lambda db: db.execute(
                "DELETE FROM outbox WHERE key = ? OR substr(key, 1, ?) = ?",
                (key, len(key) + 1, f"{key}#"),
            )
        )

    def beside(self, name: str) -> Path:
        """Give the path of a further file that belongs to the journal; `name` has no slash."""
        return self._path.with_name(f"{self._path.name}.{name}")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()


def _find_or_insert(db: sqlite3.Connection, key: str, kind: str) -> OperationRecord:
    db.execute(
        "INSERT OR IGNORE INTO operations (key, kind, facts) VALUES (?, ?, '{}')", (key, kind)
    )
    facts, finished = db.execute(
        "SELECT facts, finished FROM operations WHERE key = ?", (key,)
    ).fetchone()
    return OperationRecord(key, kind, _facts(key, facts), bool(finished))


def _facts(key: str, text: str) -> dict[str, object]:
    try:
        facts = json.loads(text)
    except ValueError:
        facts = None
    if not isinstance(facts, dict):
        raise JournalDamaged(f"What the journal says of {key} is no JSON object.")
    return facts


class _exclusive:  # noqa: N801 - a context manager used as a verb
    """An advisory lock on a file, held by this process alone and dropped when it dies."""

    def __init__(self, path: Path, what: str) -> None:
        self._path, self._what = path, what

    def __enter__(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
        try:
            self._fd = os.open(self._path, flags, 0o600)
        except OSError as error:
            raise JournalUnwritable(f"{self._path} cannot be written: {error.strerror}.") from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._fd)
            raise JournalBusy(f"Another process is already at this {self._what}.") from None

    def __exit__(self, *exc: object) -> None:
        os.close(self._fd)
