"""`[store]` and `[database]`: where sealed bytes and records lie."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from caimi.config.section import Section
from caimi.config.values import DatabaseUrl, PathText


class StoreSection(Section):
    """Where sealed bytes live."""

    kind: Literal["local"] = "local"
    path: PathText = "store"


class DatabaseSection(Section):
    """A PostgreSQL server for what is otherwise in SQLite files.

    Each store has a schema of its own there, whose name begins with `prefix`. The URL may hold a
    password, and is never shown.
    """

    url: Annotated[DatabaseUrl, Field(repr=False)]
    prefix: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")] = "caimi"
