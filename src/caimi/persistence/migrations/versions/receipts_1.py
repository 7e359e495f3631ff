"""A worker's receipts, batches and outbox. SQLite files that have these tables keep them."""

import sqlalchemy as sa
from alembic import op

revision = "receipts_1"
down_revision = None
branch_labels = ("receipts",)
depends_on = None


def upgrade() -> None:
    """Make the tables that are not there."""
    on_postgresql = op.get_context().dialect.name == "postgresql"
    number = sa.BigInteger if on_postgresql else sa.Integer
    op.create_table(
        "batches",
        sa.Column("batch", number, sa.Identity(), primary_key=True),
        sa.Column("ledger", sa.Text, nullable=False),
        sa.Column("root", sa.LargeBinary, nullable=False),
        sa.Column("size", number, nullable=False),
        sa.Column("anchored", sa.Integer, nullable=False, server_default=sa.text("0")),
        sqlite_strict=True,
        if_not_exists=True,
    )
    op.create_table(
        "receipts",
        sa.Column("number", number, sa.Identity(), primary_key=True),
        sa.Column("digest", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("ledger", sa.Text, nullable=False),
        sa.Column("receipt", sa.Text, nullable=False),
        sa.Column("batch", number, sa.ForeignKey("batches.batch")),
        sqlite_strict=True,
        if_not_exists=True,
    )
    op.create_index("by_batch", "receipts", ["batch", "ledger", "number"], if_not_exists=True)
    op.create_table(
        "outbox",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("ledger", sa.Text, nullable=False),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("tx", sa.Text, nullable=False),
        sa.Column("raw", sa.LargeBinary, nullable=False),
        sqlite_strict=True,
        if_not_exists=True,
    )
    if not on_postgresql:
        op.execute("PRAGMA user_version = 1")
