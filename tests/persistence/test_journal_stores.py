"""Journals in SQLite files and in PostgreSQL."""

from __future__ import annotations

from journal_store_suite import JournalStoreSuite
from sites import OnPostgres, OnSqlite


class TestJournalOnSqlite(OnSqlite, JournalStoreSuite):
    """Each in a file."""


class TestJournalOnPostgres(OnPostgres, JournalStoreSuite):
    """Each in a schema."""
