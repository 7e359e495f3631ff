"""What validators signed, in SQLite files and in PostgreSQL."""

from __future__ import annotations

from signed_store_suite import SignedStoreSuite
from sites import OnPostgres, OnSqlite


class TestSignedOnSqlite(OnSqlite, SignedStoreSuite):
    """Each in a file."""


class TestSignedOnPostgres(OnPostgres, SignedStoreSuite):
    """Each in a schema."""
