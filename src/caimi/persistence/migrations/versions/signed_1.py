"""A validator's memory. SQLite files that have these tables, but for `spoiled`, keep them."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "signed_1"
down_revision = None
branch_labels = ("signed",)
depends_on = None


def upgrade() -> None:
    """Make the tables that are not there."""
    on_postgresql = op.get_context().dialect.name == "postgresql"
    number = sa.BigInteger if on_postgresql else sa.Integer
    tables: dict[str, list[sa.Column[Any]]] = {
        "blocks": [
            sa.Column("height", number, primary_key=True, autoincrement=False),
            sa.Column("time", number, nullable=False),
            sa.Column("hash", sa.LargeBinary, nullable=False),
        ],
        "covered": [
            sa.Column("start", number, primary_key=True, autoincrement=False),
            sa.Column("stop", number, nullable=False),
        ],
        "contents": [
            sa.Column("height", number, primary_key=True, autoincrement=False),
            sa.Column("digest", sa.LargeBinary, nullable=False),
        ],
        "stops": [sa.Column("why", sa.Text, nullable=False)],
        "cleared": [sa.Column("height", number, nullable=False)],
        "spoiled": [
            sa.Column("height", number, primary_key=True, autoincrement=False),
            sa.Column("block", number, nullable=False),
        ],
    }
    for name, columns in tables.items():
        op.create_table(
            name,
            sa.Column("origin", sa.LargeBinary, primary_key=True),
            *columns,
            sqlite_strict=True,
            sqlite_with_rowid=False,
            if_not_exists=True,
        )
    if not on_postgresql:
        op.execute("PRAGMA user_version = 3")
