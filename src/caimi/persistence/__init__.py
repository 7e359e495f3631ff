"""Where the roles' stores are kept: SQLAlchemy over SQLite or PostgreSQL, behind their ports."""

from caimi.persistence.factory import (
    journal_in,
    open_journal,
    open_receipt_store,
    open_signed_store,
)

__all__ = ["journal_in", "open_journal", "open_receipt_store", "open_signed_store"]
