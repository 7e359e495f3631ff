"""SQLite: a file of the store's own, written through to the disk."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from typing import Final

from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.pool import NullPool

from caimi.persistence.driver import Connection
from caimi.persistence.place import SqliteFile
from caimi.persistence.troubles import Trouble, said, sqlite_trouble

_PATIENCE_SECONDS: Final = 10
_PAUSE_SECONDS: Final = 0.02


class SqliteDriver:
    """A `Driver` of Python's sqlite3: WAL, synchronous=FULL, one writer at a time."""

    begin: tuple[str, ...] = ("BEGIN IMMEDIATE",)
    errors: tuple[type[Exception], ...] = (sqlite3.Error, OverflowError, OSError)

    def __init__(self, place: SqliteFile) -> None:
        self._path = place.path
        self._held: dict[str, int] = {}
        self.engine: Engine = create_engine(
            URL.create("sqlite", database=str(place.path)),
            poolclass=NullPool,
            connect_args={
                "check_same_thread": False,
                "isolation_level": None,
                "timeout": _PATIENCE_SECONDS,
            },
        )
        event.listen(self.engine, "connect", _write_through)

    def connect(self) -> Connection:
        """Open the file, and make it if there is none."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        pooled = self.engine.raw_connection()
        connection = pooled.driver_connection
        pooled.detach()
        assert isinstance(connection, sqlite3.Connection)
        return connection

    def lost(self, connection: Connection) -> bool:
        """A file is never lost."""
        return False

    def trouble(self, error: Exception, connection: Connection | None) -> tuple[Trouble, str]:
        """See `Driver.trouble`."""
        strerror = error.strerror if isinstance(error, OSError) else None
        return sqlite_trouble(error), said(strerror or error)

    def hold(self, connection: Connection, key: str) -> bool:
        """Lock a file beside the database: the system lets go when the process dies."""
        path = self._path.with_name(f"{self._path.name}.{key}.lock")
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
        file = os.open(path, flags, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return False
        self._held[key] = file
        return True

    def let_go(self, connection: Connection | None, key: str) -> None:
        """See `Driver.let_go`."""
        os.close(self._held.pop(key))

    @property
    def pinned(self) -> bool:
        """The system's locks need no connection."""
        return False

    def revision(self, connection: Connection) -> str | None:
        """See `Driver.revision`."""
        known = "SELECT 1 FROM sqlite_schema WHERE name = 'alembic_version'"
        if connection.execute(known).fetchone() is None:
            return None
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return None if row is None else str(row[0])


def _write_through(connection: sqlite3.Connection, _record: object) -> None:
    # While another process makes the file, SQLite refuses this at once, whatever its timeout is.
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > deadline:
                raise
        time.sleep(_PAUSE_SECONDS)
    connection.execute("PRAGMA synchronous = FULL")
