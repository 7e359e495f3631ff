"""PostgreSQL: a schema of the store's own, every commit on the server's disk."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Engine, create_engine, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool

from caimi.errors.databases import DatabaseDriverMissing
from caimi.errors.operations import ConfigInvalid
from caimi.persistence.driver import Connection, Rows
from caimi.persistence.place import PostgresSchema
from caimi.persistence.troubles import Trouble, postgresql_trouble, said

if TYPE_CHECKING:
    import psycopg

_PATIENCE_SECONDS: Final = 10
_SETTINGS: Final = {
    "synchronous_commit": "on",
    "lock_timeout": f"{_PATIENCE_SECONDS}s",
    "default_transaction_isolation": "read committed",
}
_SILENCE: Final = {
    "connect_timeout": _PATIENCE_SECONDS,
    "keepalives_idle": _PATIENCE_SECONDS,
    "keepalives_interval": _PATIENCE_SECONDS,
    "keepalives_count": 3,
    "tcp_user_timeout": 3 * _PATIENCE_SECONDS * 1000,
}
"""A server that falls silent is given up after half a minute."""


class PostgresConnection:
    """A `Connection` over psycopg's."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._idle = type(connection.info.transaction_status).IDLE

    @property
    def in_transaction(self) -> bool:
        """See `Connection.in_transaction`."""
        return not self.ended and self._connection.info.transaction_status != self._idle

    @property
    def ended(self) -> bool:
        """Whether the server or the network ended it."""
        return bool(self._connection.closed)

    def execute(self, statement: str, values: Sequence[Any] = (), /) -> Rows:
        """See `Connection.execute`."""
        return self._connection.execute(statement.encode(), values or None)

    def executemany(self, statement: str, values: Iterable[Sequence[Any]], /) -> None:
        """See `Connection.executemany`."""
        with self._connection.cursor() as cursor:
            cursor.executemany(statement.encode(), values)

    def close(self) -> None:
        """See `Connection.close`."""
        self._connection.close()


class PostgresDriver:
    """A `Driver` of psycopg.

    A transaction is serialisable, and locks the store before it looks at anything, so that it waits
    for another instead of being undone because of it. Reads and backups from outside wait for none.
    """

    begin: tuple[str, ...] = (
        "BEGIN ISOLATION LEVEL SERIALIZABLE",
        "LOCK TABLE alembic_version IN EXCLUSIVE MODE",
    )

    def __init__(self, place: PostgresSchema) -> None:
        self._schema = place.schema
        self._held: set[str] = set()
        try:
            url = make_url(place.url).set(drivername="postgresql+psycopg")
        except (ArgumentError, ValueError):
            raise ConfigInvalid("The url under [database] is none that can be read.") from None
        self._secret = str(url.password) if url.password else None
        given = url.query.get("options", "")
        settings = {"search_path": f'"{place.schema}"', **_SETTINGS}
        options = [
            *([given] if isinstance(given, str) else given),
            *(f"-c {name}={value.replace(' ', chr(92) + ' ')}" for name, value in settings.items()),
        ]
        try:
            self.engine: Engine = create_engine(
                url.difference_update_query(["options"]),
                poolclass=NullPool,
                paramstyle="format",
                connect_args={**_SILENCE, "autocommit": True, "options": " ".join(options)},
                hide_parameters=True,
            )
        except ModuleNotFoundError:
            raise DatabaseDriverMissing(
                "The configuration names a PostgreSQL database, and psycopg is not installed."
            ) from None
        dbapi = self.engine.dialect.dbapi
        assert dbapi is not None
        self.errors: tuple[type[Exception], ...] = (dbapi.Error, OverflowError, OSError)

    def connect(self) -> Connection:
        """Connect to the server; the schema need not be there yet."""
        pooled = self.engine.raw_connection()
        connection: Any = pooled.driver_connection
        pooled.detach()
        return PostgresConnection(connection)

    def lost(self, connection: Connection) -> bool:
        """See `Driver.lost`."""
        return isinstance(connection, PostgresConnection) and connection.ended

    def trouble(self, error: Exception, connection: Connection | None) -> tuple[Trouble, str]:
        """See `Driver.trouble`."""
        lost = connection is not None and self.lost(connection)
        return postgresql_trouble(error, lost=lost), said(error, self._secret)

    def hold(self, connection: Connection, key: str) -> bool:
        """Take an advisory lock of this session: the server lets go when the session ends."""
        if key in self._held:
            return False
        row = connection.execute("SELECT pg_try_advisory_lock(%s)", (self._number(key),)).fetchone()
        if row is None or not row[0]:
            return False
        self._held.add(key)
        return True

    def let_go(self, connection: Connection | None, key: str) -> None:
        """See `Driver.let_go`."""
        self._held.discard(key)
        if connection is not None:
            connection.execute("SELECT pg_advisory_unlock(%s)", (self._number(key),))

    @property
    def pinned(self) -> bool:
        """Whether an operation is held: its lock is the session's."""
        return bool(self._held)

    def revision(self, connection: Connection) -> str | None:
        """See `Driver.revision`."""
        known = "SELECT to_regclass('alembic_version')"
        row = connection.execute(known).fetchone()
        if row is None or row[0] is None:
            return None
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return None if row is None else str(row[0])

    def _number(self, key: str) -> int:
        digest = hashlib.sha256(f"{self._schema}/{key}".encode()).digest()
        return int.from_bytes(digest[:8], "big", signed=True)
