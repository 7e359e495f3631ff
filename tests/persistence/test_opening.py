"""Opening stores in SQLite files and in PostgreSQL."""

from __future__ import annotations

from opening_suite import OpeningSuite
from sites import OnPostgres, OnSqlite


class TestOpeningOnSqlite(OnSqlite, OpeningSuite):
    """Each in a file."""


class TestOpeningOnPostgres(OnPostgres, OpeningSuite):
    """Each in a schema."""
