"""A worker's receipts, and the batches that they are anchored in."""

from sqlalchemy import (
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    text,
)

from caimi.persistence.tables.metadata import METADATA, NUMBER

BATCHES = Table(
    "batches",
    METADATA,
    Column("batch", NUMBER, Identity(), primary_key=True),
    Column("ledger", Text, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("size", NUMBER, nullable=False),
    Column("anchored", Integer, nullable=False, server_default=text("0")),
    sqlite_strict=True,
)

RECEIPTS = Table(
    "receipts",
    METADATA,
    Column("number", NUMBER, Identity(), primary_key=True),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("ledger", Text, nullable=False),
    Column("receipt", Text, nullable=False),
    Column("batch", NUMBER, ForeignKey("batches.batch")),
    Index("by_batch", "batch", "ledger", "number"),
    sqlite_strict=True,
)
