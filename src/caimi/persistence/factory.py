"""Stores as the configuration has them: SQLite files, or schemas of a PostgreSQL database."""

from __future__ import annotations

from pathlib import Path

from caimi.config import Config, DatabaseSection
from caimi.journal import Journal
from caimi.persistence.journal_store import SqlJournalStore
from caimi.persistence.place import SqliteFile, place_of
from caimi.persistence.receipt_store import SqlReceiptStore
from caimi.persistence.signed_store import SqlSignedStore


def open_journal(config: Config) -> Journal:
    """Open a user's journal.

    Raises:
        JournalUnwritable, JournalDamaged, JournalBusy: its file is no journal, or of no use.
        DatabaseUnreachable, DatabaseDriverMissing, ConfigInvalid: [database] leads nowhere.
        StoreTooNew: a newer program wrote it.
    """
    path = config.journal_path
    return Journal(SqlJournalStore(place_of(config.database, path, "journal")), path)


def journal_in(path: Path) -> Journal:
    """Open a journal in an SQLite file. Raises as `open_journal`."""
    return Journal(SqlJournalStore(SqliteFile(path)), path)


def open_signed_store(section: DatabaseSection | None, file: Path) -> SqlSignedStore:
    """Open a validator's memory, in `file` where there is no database section.

    Raises:
        SignedStoreDamaged: it is no such memory, or of no use.
        DatabaseUnreachable, DatabaseDriverMissing, ConfigInvalid: the section leads nowhere.
        StoreTooNew: a newer program wrote it.
    """
    return SqlSignedStore(place_of(section, file, "signed"))


def open_receipt_store(
    section: DatabaseSection | None, file: Path, worker: str = "worker"
) -> SqlReceiptStore:
    """Open the receipts of a worker, in `file` where there is no database section.

    Raises:
        ReceiptStoreDamaged: it is no such store, or of no use.
        DatabaseUnreachable, DatabaseDriverMissing, ConfigInvalid: the section leads nowhere.
        StoreTooNew: a newer program wrote it.
    """
    return SqlReceiptStore(place_of(section, file, "receipts", worker))
