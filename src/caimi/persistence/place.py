"""Where a store's tables are: a file of its own, or a schema of its own in a database."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from caimi.config import DatabaseSection

_LONGEST_NAME: Final = 63
"""PostgreSQL cuts off longer names in silence."""


@dataclass(frozen=True, slots=True)
class SqliteFile:
    """An SQLite file."""

    path: Path

    def __str__(self) -> str:
        """The file's path."""
        return str(self.path)


@dataclass(frozen=True, slots=True)
class PostgresSchema:
    """A schema in the database that `url` names; the URL may hold a password, and is not shown."""

    url: str = field(repr=False)
    schema: str

    def __str__(self) -> str:
        """The schema: enough for whoever reads the configuration, and no secret."""
        return f"in PostgreSQL's schema {self.schema}"


Place = SqliteFile | PostgresSchema


def place_of(section: DatabaseSection | None, file: Path, *store: str) -> Place:
    """Give the place of a store: `file`, or in the section's database the schema of its name."""
    if section is None:
        return SqliteFile(file)
    name = "_".join((section.prefix, *store))
    if len(name) > _LONGEST_NAME:
        name = f"{name[:46]}_{hashlib.sha256(name.encode()).hexdigest()[:16]}"
    return PostgresSchema(section.url, name)
