"""Signed transactions by their key: of a journal, or of a worker's receipts, each in its place."""

from sqlalchemy import Column, LargeBinary, Table, Text

from caimi.persistence.tables.metadata import METADATA

OUTBOX = Table(
    "outbox",
    METADATA,
    Column("key", Text, primary_key=True),
    Column("ledger", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("tx", Text, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    sqlite_strict=True,
)
