"""A store's database: one connection, one user of it at a time, and errors by name."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TypeVar

from sqlalchemy.exc import DBAPIError

from caimi.errors.base import CaimiError
from caimi.errors.databases import DatabaseUnreachable
from caimi.persistence.driver import Connection, Driver
from caimi.persistence.kinds import StoreKind
from caimi.persistence.place import Place, PostgresSchema
from caimi.persistence.postgres_driver import PostgresDriver
from caimi.persistence.prepared import Preparer, prepared
from caimi.persistence.schema import is_current, migrate
from caimi.persistence.sqlite_driver import SqliteDriver
from caimi.persistence.troubles import Trouble

T = TypeVar("T")
_OWNER_ONLY: Final = 0o600


class Database:
    """Where one store is: opened, at its newest revision, safe to use from any thread.

    A connection that the server ended is opened again when it is needed, but not while an operation
    is held, whose lock went with it.
    """

    def __init__(self, place: Place, kind: StoreKind) -> None:
        self._place, self._kind = place, kind
        self._lock = threading.Lock()
        self._driver: Driver = (
            PostgresDriver(place) if isinstance(place, PostgresSchema) else SqliteDriver(place)
        )
        self._connection: Connection | None = None
        with self.session():
            pass

    def prepared(self, make: Callable[[Preparer], T]) -> T:
        """Give the statements of a class, compiled for this database's driver."""
        return prepared(self._driver.engine.dialect, make)

    @contextmanager
    def session(self) -> Iterator[Connection]:
        """Use the connection; each statement takes effect, durably, by itself.

        Raises:
            DatabaseUnreachable: there is none.
            CaimiError: something else ails it; named by the store's kind.
        """
        with self._lock:
            try:
                yield self._connection or self._open()
            except DBAPIError as error:  # as SQLAlchemy wraps it while it migrates
                cause = error.orig if isinstance(error.orig, Exception) else error
                raise self._named(cause) from error
            except self._driver.errors as error:
                raise self._named(error) from error

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Use the connection for statements that take effect together, durably, or not at all.

        No other transaction of the store goes on beside it. Raises as `session`.
        """
        with self.session() as connection:
            try:
                for statement in self._driver.begin:
                    connection.execute(statement)
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                # A COMMIT that a full disk refuses may leave the transaction open.
                if connection.in_transaction:
                    with suppress(*self._driver.errors):
                        connection.execute("ROLLBACK")
                raise

    @contextmanager
    def exclusive(self, key: str) -> Iterator[bool]:
        """Hold `key` within the block if nobody else does; gives whether it is held."""
        with self.session() as connection:
            held = self._driver.hold(connection, key)
        try:
            yield held
        finally:
            if held:
                with self._lock, suppress(*self._driver.errors):
                    self._driver.let_go(self._connection, key)

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._driver.engine.dispose()

    def _open(self) -> Connection:
        if self._driver.pinned:
            raise DatabaseUnreachable(
                f"The connection to the {self._kind.name} store {self._place} was lost in the "
                "middle of an operation.",
                why="Whoever holds an operation holds it by that connection.",
            )
        if not isinstance(self._place, PostgresSchema):
            self._check_kind_of_file(self._place.path)
        connection = self._driver.connect()
        try:
            if not is_current(self._driver, connection, self._kind):
                migrate(self._driver.engine, self._place, self._kind)
            if self._kind.private and not isinstance(self._place, PostgresSchema):
                self._place.path.chmod(_OWNER_ONLY)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection

    def _check_kind_of_file(self, path: Path) -> None:
        if path.exists() and not path.is_file():
            raise self._kind.refuse(Trouble.DAMAGED, f"{path} is no plain file")

    def _named(self, error: Exception) -> CaimiError:
        trouble, words = self._driver.trouble(error, self._connection)
        if self._connection is not None and self._driver.lost(self._connection):
            self._connection.close()
            self._connection = None
        if trouble is Trouble.UNREACHABLE:
            return DatabaseUnreachable(
                f"The {self._kind.name} store {self._place} cannot be reached: {words}."
            )
        return self._kind.refuse(trouble, f"{self._place}: {words}")
