"""What a store's transactions ask of a database's driver (port): two drivers are behind it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

from sqlalchemy import Engine

from caimi.persistence.troubles import Trouble

Row = tuple[Any, ...]
"""One row of a result, as the driver gives it."""


class Rows(Protocol):
    """What a statement gave."""

    @property
    def rowcount(self) -> int:
        """How many rows it wrote."""
        ...

    def fetchone(self) -> Row | None: ...

    def fetchall(self) -> list[Row]: ...

    def __iter__(self) -> Iterator[Row]: ...


class Connection(Protocol):
    """A connection in which each statement takes effect by itself, unless a transaction is open."""

    @property
    def in_transaction(self) -> bool:
        """Whether there is something to commit or to undo."""
        ...

    def execute(self, statement: str, values: Sequence[Any] = (), /) -> Rows: ...

    def executemany(self, statement: str, values: Iterable[Sequence[Any]], /) -> object: ...

    def close(self) -> None: ...


class Driver(Protocol):
    """How one family of databases is connected to, begun with, and understood when it fails."""

    engine: Engine
    begin: tuple[str, ...]
    """The statements that begin a transaction nothing else of the store goes on beside."""
    errors: tuple[type[Exception], ...]
    """What connecting and statements raise."""

    def connect(self) -> Connection:
        """Open a connection whose every commit is durable."""
        ...

    def lost(self, connection: Connection) -> bool:
        """Whether a connection has ended."""
        ...

    def trouble(self, error: Exception, connection: Connection | None) -> tuple[Trouble, str]:
        """Tell what an error means, and give the driver's words without any secret."""
        ...

    def hold(self, connection: Connection, key: str) -> bool:
        """Try to hold `key`, one holder of all processes at a time; give whether it is held now.

        It is let go when the process or its connection dies.
        """
        ...

    def let_go(self, connection: Connection | None, key: str) -> None:
        """Let go of a key that is held; None for a connection that has ended."""

    @property
    def pinned(self) -> bool:
        """Whether something is held that went with the connection, were it to end."""
        ...

    def revision(self, connection: Connection) -> str | None:
        """Give the revision that Alembic noted, None where it never was."""
        ...
