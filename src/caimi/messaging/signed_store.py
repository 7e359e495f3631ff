"""A validator's memory of what it signed, so that it never contradicts itself.

For every height it signed it keeps the block's time and hash, and for every block that a signed
range covered what happened in it. What is kept so grows with the ledger and not with the questions:
however many overlapping ranges are asked for, each block is remembered once.

What was remembered can be false: a node had left something out. Once the operator has cleared the
origin the truth replaces it, and only where no contradiction can come of it: two statements
contradict each other by their times, or when they are of one range, so no range that reaches to a
height signed before is signed again with the block whose contents were replaced.
"""

from __future__ import annotations

import sqlite3
import threading
from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, TypeVar

from caimi.errors.messaging import (
    AlreadySignedOtherwise,
    LedgerReorganised,
    SignedStoreDamaged,
    SigningStopped,
)
from caimi.ibc.statements import Kind
from caimi.messaging.checkpoint import Statement

T = TypeVar("T")
_VERSION: Final = 3
_READABLE: Final = frozenset({2, _VERSION})
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS blocks (
    origin BLOB NOT NULL, height INTEGER NOT NULL, time INTEGER NOT NULL, hash BLOB NOT NULL,
    PRIMARY KEY (origin, height)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS covered (
    origin BLOB NOT NULL, start INTEGER NOT NULL, stop INTEGER NOT NULL,
    PRIMARY KEY (origin, start)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS contents (
    origin BLOB NOT NULL, height INTEGER NOT NULL, digest BLOB NOT NULL,
    PRIMARY KEY (origin, height)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS stops (
    origin BLOB NOT NULL PRIMARY KEY, why TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS cleared (
    origin BLOB NOT NULL PRIMARY KEY, height INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS spoiled (
    origin BLOB NOT NULL, height INTEGER NOT NULL, block INTEGER NOT NULL,
    PRIMARY KEY (origin, height)
) STRICT, WITHOUT ROWID;
PRAGMA user_version = {_VERSION};
"""


@dataclass(frozen=True, slots=True)
class SignedBlock:
    """A block that was signed."""

    height: int
    hash: bytes


class SignedStore(Protocol):
    """Remembers statements before they are signed; an origin is a ledger's gateway, hashed."""

    def remember(
        self, statement: Statement, block_hash: bytes, contents: Mapping[int, bytes]
    ) -> None:
        """Write down durably that `statement` is about to be signed.

        `block_hash` is that of its height, `contents` a digest for each block of its range in which
        anything happened (none for an absence).

        Raises:
            LedgerReorganised: it gives a height another hash than an earlier one did. Signing is
                stopped.
            SigningStopped: signing was stopped for this origin.
            AlreadySignedOtherwise: it gives a height another time, or a block other contents, than
                an earlier one did, or time runs backwards between the two.
        """

    def newest(self, origin: bytes, upto: int | None = None) -> SignedBlock | None:
        """Give the highest signed block at or below `upto`, since the operator last cleared."""
        ...

    def stop(self, origin: bytes, why: str) -> None:
        """Sign nothing more of `origin` until `clear`."""

    def stopped(self, origin: bytes) -> str | None:
        """Say why nothing more is signed of `origin`, or None when signing goes on."""
        ...

    def clear(self, origin: bytes) -> None:
        """Sign again, and let what blocks held until now be replaced by what is read next.

        Contradictions of what was signed stay refused.
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
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            (tables,) = self._db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            if version not in ({0, *_READABLE} if tables == 0 else _READABLE):
                self._db.close()
                raise SignedStoreDamaged(f"{path} is of version {version}, not {_VERSION}.")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(_SCHEMA)
        except sqlite3.DatabaseError as error:
            raise SignedStoreDamaged(
                f"{path} is no record of signed statements: {error}."
            ) from error

    def remember(
        self, statement: Statement, block_hash: bytes, contents: Mapping[int, bytes]
    ) -> None:
        """See `SignedStore.remember`; raises `SignedStoreDamaged` when it cannot be written."""

        def write() -> None:
            self._check_going_on(statement.origin)
            fresh = self._remember_block(statement, block_hash)
            if statement.kind is Kind.CHECKPOINT:
                self._remember_contents(statement, contents, fresh=fresh)

        try:
            self._transact(write)
        except LedgerReorganised as reorganised:
            self.stop(statement.origin, reorganised.what)
            raise

    def newest(self, origin: bytes, upto: int | None = None) -> SignedBlock | None:
        """See `SignedStore.newest`."""
        query = (
            "SELECT height, hash FROM blocks WHERE origin = ? AND height > ? AND height <= ? "
            "ORDER BY height DESC LIMIT 1"
        )

        def read() -> SignedBlock | None:
            above = self._cleared(origin)
            top = (1 << 63) - 1 if upto is None else upto
            row = self._db.execute(query, (origin, above, top)).fetchone()
            return None if row is None else SignedBlock(*row)

        return self._transact(read)

    def stop(self, origin: bytes, why: str) -> None:
        """See `SignedStore.stop`."""
        self._transact(
            lambda: self._db.execute("INSERT OR IGNORE INTO stops VALUES (?, ?)", (origin, why))
        )

    def stopped(self, origin: bytes) -> str | None:
        """See `SignedStore.stopped`."""
        return self._transact(lambda: self._why_stopped(origin))

    def clear(self, origin: bytes) -> None:
        """See `SignedStore.clear`."""

        def write() -> None:
            self._db.execute("DELETE FROM stops WHERE origin = ?", (origin,))
            self._db.execute(
                "INSERT OR REPLACE INTO cleared "
                "SELECT ?, coalesce(max(height), 0) FROM blocks WHERE origin = ?",
                (origin, origin),
            )

        self._transact(write)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def _transact(self, work: Callable[[], T]) -> T:
        try:
            with self._lock:
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    result = work()
                    self._db.execute("COMMIT")
                except BaseException:
                    # A COMMIT that a full disk refuses may leave the transaction open.
                    if self._db.in_transaction:
                        self._db.execute("ROLLBACK")
                    raise
                return result
        except (sqlite3.Error, OverflowError) as error:
            raise SignedStoreDamaged(
                f"The record of signed statements cannot be used: {error}."
            ) from error

    def _why_stopped(self, origin: bytes) -> str | None:
        row = self._db.execute("SELECT why FROM stops WHERE origin = ?", (origin,)).fetchone()
        return None if row is None else str(row[0])

    def _cleared(self, origin: bytes) -> int:
        row = self._db.execute("SELECT height FROM cleared WHERE origin = ?", (origin,)).fetchone()
        return -1 if row is None else int(row[0])

    def _check_going_on(self, origin: bytes) -> None:
        why = self._why_stopped(origin)
        if why is not None:
            raise SigningStopped(why)

    def _remember_block(self, said: Statement, block_hash: bytes) -> bool:
        """Note a signed height; give whether it is the first statement of that height."""
        place = (said.origin, said.height)
        noted = self._db.execute(
            "INSERT OR IGNORE INTO blocks VALUES (?, ?, ?, ?)", (*place, said.time, block_hash)
        )
        fresh = noted.rowcount == 1
        time, signed = self._db.execute(
            "SELECT time, hash FROM blocks WHERE origin = ? AND height = ?", place
        ).fetchone()
        if signed != block_hash:
            what = (
                f"Block {said.height} had hash 0x{signed.hex()} when it was signed before, now "
                f"0x{block_hash.hex()}."
            )
            cleared = said.height <= self._cleared(said.origin)
            raise AlreadySignedOtherwise(what) if cleared else LedgerReorganised(what)
        if time != said.time:
            raise AlreadySignedOtherwise(
                f"Block {said.height} had time {time} when it was signed before, now {said.time}."
            )
        self._check_time_runs_forward(said)
        return fresh

    def _check_time_runs_forward(self, said: Statement) -> None:
        times = dict(
            self._db.execute(
                "SELECT height, time FROM blocks WHERE origin = ?1 AND height IN ("
                "(SELECT max(height) FROM blocks WHERE origin = ?1 AND height < ?2), "
                "(SELECT min(height) FROM blocks WHERE origin = ?1 AND height > ?2))",
                (said.origin, said.height),
            )
        )
        for height, time in times.items():
            if (height < said.height and time > said.time) or (
                height > said.height and time < said.time
            ):
                raise AlreadySignedOtherwise(
                    f"Block {said.height} has time {said.time}, but block {height}, which was "
                    f"signed before, has {time}: time ran backwards."
                )

    def _remember_contents(
        self, said: Statement, contents: Mapping[int, bytes], *, fresh: bool
    ) -> None:
        start, stop = said.from_height, said.height
        self._check_not_spoiled(said)
        near = self._db.execute(
            "SELECT start, stop FROM covered WHERE origin = ? AND start <= ? AND stop >= ? "
            "ORDER BY start",
            (said.origin, stop, start),
        ).fetchall()
        known = dict(
            self._db.execute(
                "SELECT height, digest FROM contents WHERE origin = ? AND height > ? "
                "AND height <= ?",
                (said.origin, start, stop),
            )
        )
        stops = [each for _, each in near]
        for height in sorted({*known, *contents}):
            place = bisect_left(stops, height)
            seen_before = place < len(near) and near[place][0] < height
            if seen_before and known.get(height) != contents.get(height):
                self._replace(said, height, fresh=fresh)
        self._db.executemany(
            "INSERT OR IGNORE INTO contents VALUES (?, ?, ?)",
            ((said.origin, height, digest) for height, digest in contents.items()),
        )
        self._db.executemany(
            "DELETE FROM covered WHERE origin = ? AND start = ?",
            ((said.origin, each) for each, _ in near),
        )
        self._db.execute(
            "INSERT INTO covered VALUES (?, ?, ?)",
            (
                said.origin,
                min([start, *(each for each, _ in near)]),
                max([stop, *stops]),
            ),
        )

    def _replace(self, said: Statement, block: int, *, fresh: bool) -> None:
        """Forget what a block held by what was signed before, if the operator has cleared that.

        Whatever range may have been signed with it, and so reaches to a height that was signed, is
        spoiled from now on.
        """
        if block > self._cleared(said.origin):
            raise AlreadySignedOtherwise(
                f"In block {block}, which was signed before, something else happened then."
            )
        if not fresh:
            raise AlreadySignedOtherwise(
                f"In block {block} something else happened when blocks up to {said.height} were "
                "signed before; what is true of it can be signed up to another height."
            )
        self._db.execute(
            "DELETE FROM contents WHERE origin = ? AND height = ?", (said.origin, block)
        )
        self._db.execute(
            "INSERT INTO spoiled SELECT origin, height, ?1 FROM blocks "
            "WHERE origin = ?2 AND height >= ?1 AND height <> ?3 "
            "ON CONFLICT DO UPDATE SET block = max(block, excluded.block)",
            (block, said.origin, said.height),
        )

    def _check_not_spoiled(self, said: Statement) -> None:
        row = self._db.execute(
            "SELECT block FROM spoiled WHERE origin = ? AND height = ?", (said.origin, said.height)
        ).fetchone()
        if row is not None and said.from_height < row[0]:
            raise AlreadySignedOtherwise(
                f"Blocks up to {said.height} were signed before the contents of block {row[0]} "
                "were found to be others; they can be signed up to another height."
            )
