"""Receipts in SQLite files and in PostgreSQL."""

from __future__ import annotations

from receipt_store_suite import ReceiptStoreSuite
from sites import OnPostgres, OnSqlite


class TestReceiptsOnSqlite(OnSqlite, ReceiptStoreSuite):
    """Each in a file."""


class TestReceiptsOnPostgres(OnPostgres, ReceiptStoreSuite):
    """Each in a schema."""
