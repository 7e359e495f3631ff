"""Where the suites run: SQLite files, and schemas of a real PostgreSQL server."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from postgres_server import PostgresServer
from psycopg import sql

from caimi.persistence.database import Database
from caimi.persistence.place import Place, PostgresSchema, SqliteFile

each_site = settings(
    deadline=None,
    # A suite's tests are run by a class for each site, with one store for all examples.
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.differing_executors,
    ],
)


class StoreSite(Protocol):
    """A database to keep stores in, and what may happen to it behind their back."""

    def place(self, store: str) -> Place:
        """Give the place of a store: within one test the same each time."""
        ...

    def words(self, store: str) -> tuple[str, str]:
        """Give a store's place for another process: a path or schema, and a URL if it needs one."""
        ...

    def told(self, store: str, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Do what somebody else does to a store's database."""
        ...

    def mark_version(self, store: str, revision: str) -> None:
        """Make the store one of another revision."""
        ...

    def tables(self, store: str) -> set[str]:
        """Name the tables that are there."""
        ...

    def full(self, database: Database, table: str) -> Any:
        """Within the block, the disk takes nothing more."""
        ...

    def read_only(self, database: Database) -> Any:
        """Within the block, nothing may be written."""
        ...


class SqliteSite:
    """Files in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def place(self, store: str) -> SqliteFile:
        return SqliteFile(self._folder / f"{store}.sqlite")

    def words(self, store: str) -> tuple[str, str]:
        return str(self.place(store).path), ""

    def told(self, store: str, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with sqlite3.connect(self.place(store).path) as beside:
            rows = beside.execute(statement, values).fetchall()
        beside.close()
        return rows

    def mark_version(self, store: str, revision: str) -> None:
        self.told(store, "UPDATE alembic_version SET version_num = ?", (revision,))

    def tables(self, store: str) -> set[str]:
        return {name for (name,) in self.told(store, "SELECT name FROM sqlite_schema")}

    @contextmanager
    def full(self, database: Database, table: str) -> Iterator[None]:
        with database.session() as db:
            (pages,) = db.execute("PRAGMA page_count").fetchone() or (1,)
            db.execute(f"PRAGMA max_page_count = {pages}")
        yield
        with database.session() as db:
            db.execute("PRAGMA max_page_count = 1000000")

    @contextmanager
    def read_only(self, database: Database) -> Iterator[None]:
        with database.session() as db:
            db.execute("PRAGMA query_only = ON")
        yield
        with database.session() as db:
            db.execute("PRAGMA query_only = OFF")


class PostgresSite:
    """Schemas whose names nobody used before."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._prefix = f"t{uuid.uuid4().hex[:12]}"

    def place(self, store: str) -> PostgresSchema:
        return PostgresSchema(self._server.url, f"{self._prefix}_{store}")

    def words(self, store: str) -> tuple[str, str]:
        return self.place(store).schema, self._server.url

    def told(self, store: str, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._beside(store) as beside:
            cursor = beside.execute(statement.replace("?", "%s").encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    def mark_version(self, store: str, revision: str) -> None:
        self.told(store, "UPDATE alembic_version SET version_num = ?", (revision,))

    def tables(self, store: str) -> set[str]:
        named = "SELECT tablename FROM pg_tables WHERE schemaname = ?"
        return {name for (name,) in self.told(store, named, (self.place(store).schema,))}

    @contextmanager
    def full(self, database: Database, table: str) -> Iterator[None]:
        """Have the server say so, by the code that it has for it: its disk is this machine's."""
        store = database._kind.name
        self.told(
            store,
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$",
        )
        on = f"BEFORE INSERT OR UPDATE ON {table} EXECUTE FUNCTION full_disk()"
        self.told(store, f"CREATE TRIGGER full_disk {on}")
        yield
        self.told(store, f"DROP TRIGGER full_disk ON {table}")

    @contextmanager
    def read_only(self, database: Database) -> Iterator[None]:
        with database.session() as db:
            db.execute("SET default_transaction_read_only = on")
        yield
        with database.session() as db:
            db.execute("SET default_transaction_read_only = off")

    def end_connections(self, store: str) -> None:
        """Restart the server, as far as a store can tell."""
        self.told(
            store,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'",
        )

    @contextmanager
    def _beside(self, store: str) -> Iterator[psycopg.Connection]:
        with self._server.connect() as beside:
            schema = sql.Identifier(self.place(store).schema)
            beside.execute(sql.SQL("SET search_path TO {}").format(schema))
            yield beside


class OnSqlite:
    """A suite's tests on SQLite."""

    @pytest.fixture
    def site(self, tmp_path: Path) -> SqliteSite:
        return SqliteSite(tmp_path)


class OnPostgres:
    """A suite's tests on PostgreSQL."""

    @pytest.fixture
    def site(self, postgres: PostgresServer) -> PostgresSite:
        return PostgresSite(postgres)
