"""Bringing a store's tables to the newest revision, while nobody else does."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from sqlalchemy import Connection as SqlConnection
from sqlalchemy import Engine, inspect

from caimi.errors.base import CaimiError
from caimi.errors.databases import StoreTooNew
from caimi.persistence.driver import Connection, Driver
from caimi.persistence.kinds import StoreKind
from caimi.persistence.place import Place, PostgresSchema
from caimi.persistence.troubles import Trouble

_MIGRATIONS: Final = Path(__file__).with_name("migrations")


def is_current(driver: Driver, connection: Connection, kind: StoreKind) -> bool:
    """Whether a store has the newest revision: then Alembic is not even imported."""
    if driver.revision(connection) != kind.revision:
        return False
    return driver.engine.dialect.name != "sqlite" or _file_version(connection) <= max(
        kind.file_versions
    )


def migrate(engine: Engine, place: Place, kind: StoreKind) -> None:
    """Make the tables of a new store, or bring those of an older one to the newest revision.

    All or nothing. Of several processes that begin together one does it, and the others wait.

    Raises:
        StoreTooNew: a newer program wrote it.
        CaimiError: it is something else; named by `kind.refuse`.
    """
    with engine.connect() as connection:
        if isinstance(place, PostgresSchema):
            _begin_in_schema(connection, place.schema)
        else:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            _check_file(connection, place, kind)
        _upgrade(connection, place, kind)
        connection.commit()


def _begin_in_schema(connection: SqlConnection, schema: str) -> None:
    number = int.from_bytes(hashlib.sha256(schema.encode()).digest()[:8], "big", signed=True)
    connection.exec_driver_sql("BEGIN")
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({number})")
    known = "SELECT 1 FROM pg_namespace WHERE nspname = %s"
    if connection.exec_driver_sql(known, (schema,)).fetchone() is None:
        quoted = connection.dialect.identifier_preparer.quote_identifier(schema)
        connection.exec_driver_sql(f"CREATE SCHEMA {quoted}")


def _check_file(connection: SqlConnection, place: Place, kind: StoreKind) -> None:
    version = int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
    tables = set(inspect(connection).get_table_names())
    if not version and not tables:
        return
    if version > max(kind.file_versions) and kind.tables <= tables:
        raise _too_new(place, kind, f"version {version}")
    if version not in kind.file_versions or not kind.tables <= tables:
        raise _refused(place, kind, f"is of version {version} and no {kind.name} store")


def _upgrade(connection: SqlConnection, place: Place, kind: StoreKind) -> None:
    from alembic.command import upgrade  # noqa: PLC0415 - a store that is current needs none
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    known = {
        script.revision: script.branch_labels
        for script in ScriptDirectory.from_config(config).walk_revisions()
    }
    found = _revision(connection)
    if found is not None:
        if found not in known:
            raise _too_new(place, kind, f"revision {found!r:.80}")
        if kind.name not in known[found]:
            raise _refused(place, kind, f"is of revision {found} and no {kind.name} store")
    upgrade(config, f"{kind.name}@head")


def _revision(connection: SqlConnection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return None if found is None else str(found)


def _file_version(connection: Connection) -> int:
    row = connection.execute("PRAGMA user_version").fetchone()
    return 0 if row is None else int(row[0])


def _refused(place: Place, kind: StoreKind, what: str) -> CaimiError:
    return kind.refuse(Trouble.DAMAGED, f"{place} {what}")


def _too_new(place: Place, kind: StoreKind, what: str) -> StoreTooNew:
    return StoreTooNew(f"The {kind.name} store {place} has {what}, newer than this program's.")
