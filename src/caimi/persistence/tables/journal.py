"""A journal's operations."""

from sqlalchemy import Column, Integer, Table, Text, text

from caimi.persistence.tables.metadata import METADATA, NUMBER

OPERATIONS = Table(
    "operations",
    METADATA,
    Column("key", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("facts", Text, nullable=False),
    Column("finished", Integer, nullable=False, server_default=text("0")),
    # SQLite's own; on PostgreSQL the migration makes one. Its order is that of insertion.
    Column("rowid", NUMBER, system=True),
    sqlite_strict=True,
)
