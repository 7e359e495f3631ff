"""A journal: operations and the outbox. SQLite files that have these tables keep them."""

import sqlalchemy as sa
from alembic import op

revision = "journal_1"
down_revision = None
branch_labels = ("journal",)
depends_on = None


def upgrade() -> None:
    """Make the tables that are not there."""
    on_postgresql = op.get_context().dialect.name == "postgresql"
    op.create_table(
        "operations",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
        sa.Column("finished", sa.Integer, nullable=False, server_default=sa.text("0")),
        # SQLite numbers rows by itself.
        *([sa.Column("rowid", sa.BigInteger, sa.Identity())] if on_postgresql else []),
        sqlite_strict=True,
        if_not_exists=True,
    )
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
