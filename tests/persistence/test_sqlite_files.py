"""SQLite files: those of before are taken over, and what is no store is left alone."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import legacy
import pytest

from caimi.errors.base import CaimiError
from caimi.errors.databases import StoreTooNew
from caimi.errors.inference import ReceiptStoreDamaged
from caimi.errors.messaging import AlreadySignedOtherwise, SignedStoreDamaged
from caimi.errors.operations import JournalBusy, JournalDamaged, JournalUnwritable
from caimi.ibc.statements import Kind
from caimi.ledgers.port import LedgerId, SignedCall
from caimi.messaging.checkpoint import LedgerStatement
from caimi.messaging.signed_store import SignedBlock
from caimi.persistence.journal_store import SqlJournalStore
from caimi.persistence.place import SqliteFile
from caimi.persistence.receipt_store import SqlReceiptStore
from caimi.persistence.signed_store import SqlSignedStore

STORES = {
    "journal": (SqlJournalStore, JournalDamaged),
    "signed": (SqlSignedStore, SignedStoreDamaged),
    "receipts": (SqlReceiptStore, ReceiptStoreDamaged),
}
LEGACY = {
    "journal": ("journal", legacy.JOURNAL, 1),
    "signed-2": ("signed", legacy.SIGNED_2, 3),
    "signed-3": ("signed", legacy.SIGNED_3, 3),
    "receipts": ("receipts", legacy.RECEIPTS, 1),
}
every_store = pytest.mark.parametrize("store", STORES)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite"


def opened(store: str, file: Path) -> SqlJournalStore | SqlSignedStore | SqlReceiptStore:
    return STORES[store][0](SqliteFile(file))


def version(file: Path) -> int:
    database = sqlite3.connect(file)
    (found,) = database.execute("PRAGMA user_version").fetchone()
    database.close()
    return int(found)


@pytest.mark.parametrize("before", LEGACY)
def test_a_file_of_before_there_were_migrations_keeps_every_row(before: str, file: Path) -> None:
    store, script, newest = LEGACY[before]
    legacy.written(file, script)
    rows = legacy.rows(file)
    for _ in range(2):
        opened(store, file).close()
        found = legacy.rows(file)
        assert {name: found[name] for name in rows} == rows
        assert {name for name in found if name not in rows} <= {"spoiled"}
        assert version(file) == newest


@pytest.mark.parametrize("before", LEGACY)
def test_a_file_of_before_has_the_columns_of_a_new_one(before: str, tmp_path: Path) -> None:
    store, script, _ = LEGACY[before]
    legacy.written(tmp_path / "old", script)

    def columns(file: Path) -> dict[str, list[tuple[str, str]]]:
        opened(store, file).close()
        database = sqlite3.connect(file)
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_schema")]
        found = {
            name: [(row[1], row[2]) for row in database.execute(f'PRAGMA table_info("{name}")')]
            for name in tables
            if not name.startswith("sqlite_")
        }
        database.close()
        return found

    assert columns(tmp_path / "old") == columns(tmp_path / "new")


def test_what_a_file_of_before_says_is_read_and_not_contradicted(tmp_path: Path) -> None:
    legacy.written(tmp_path / "signed", legacy.SIGNED_2)
    signed = SqlSignedStore(SqliteFile(tmp_path / "signed"))
    assert signed.newest(b"\1" * 32) == SignedBlock(5, b"\x0a")
    assert signed.stopped(b"\2") == "it forked"
    said = LedgerStatement(Kind.CHECKPOINT, b"\1" * 32, b"\x05" * 32, 1, 5, 100, b"\2" * 32, 1)
    with pytest.raises(AlreadySignedOtherwise):
        signed.remember(said, b"\x0a", {4: b"\4"})
    signed.remember(said, b"\x0a", {3: b"\3"})
    signed.close()
    legacy.written(tmp_path / "journal", legacy.JOURNAL)
    journal = SqlJournalStore(SqliteFile(tmp_path / "journal"))
    assert [(each.key, each.facts) for each in journal.operations()] == [
        ("z", {"amount": "5"}),
        ("a", {}),
    ]
    call = SignedCall(LedgerId("eip155:1"), "paying", "0xab", b"\1\2")
    assert journal.sent("z/pay") == call
    journal.close()
    legacy.written(tmp_path / "receipts", legacy.RECEIPTS)
    receipts = SqlReceiptStore(SqliteFile(tmp_path / "receipts"))
    batch = receipts.next_batch(LedgerId("eip155:1"))
    assert batch is not None
    assert (batch.number, batch.size) == (2, 1)
    receipts.close()


@every_store
def test_a_file_of_a_newer_program_that_knows_no_migrations_is_refused(
    store: str, file: Path
) -> None:
    opened(store, file).close()
    for known in (True, False):
        with sqlite3.connect(file) as database:
            database.execute("PRAGMA user_version = 99")
            if not known:
                database.execute("DROP TABLE alembic_version")
        with pytest.raises(StoreTooNew, match="99"):
            opened(store, file)


@every_store
@pytest.mark.parametrize("damage", ["text", "truncated", "other tables", "no version"])
def test_what_is_no_store_is_named_and_left_as_it_is(store: str, damage: str, file: Path) -> None:
    if damage == "text":
        file.write_bytes(b"not a database, but long enough to be taken for one" * 100)
    elif damage == "other tables":
        with sqlite3.connect(file) as database:
            database.execute("CREATE TABLE blocks (other TEXT)")
    else:
        opened(store, file).close()
        if damage == "truncated":
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        else:
            with sqlite3.connect(file) as database:
                database.execute("PRAGMA user_version = 0")
                database.execute("DROP TABLE alembic_version")
    with pytest.raises(STORES[store][1], match=r"store\.sqlite"):
        opened(store, file)
    if damage == "text":
        assert file.read_bytes().startswith(b"not a database")


@every_store
def test_a_place_that_cannot_hold_a_file_is_named(store: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "file" / "store.sqlite"):
        with pytest.raises(CaimiError) as refused:
            opened(store, path)
        assert refused.type in (STORES[store][1], JournalUnwritable)
        assert str(path) in refused.value.what or "directory" in refused.value.what


@every_store
def test_every_commit_is_on_the_disk(store: str, file: Path) -> None:
    made = opened(store, file)
    with made._database.session() as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert db.execute("PRAGMA synchronous").fetchone() == (2,)
        assert db.execute("PRAGMA busy_timeout").fetchone() == (10_000,)
    made.close()


@every_store
def test_a_file_that_another_process_is_just_making_is_waited_for(store: str, file: Path) -> None:
    maker = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    maker.execute("BEGIN IMMEDIATE")
    maker.execute("CREATE TABLE begun (x)")
    later = threading.Timer(0.5, maker.execute, ["ROLLBACK"])
    later.start()
    opened(store, file).close()
    later.join()
    maker.close()


def test_others_cannot_read_a_journal(file: Path) -> None:
    opened("journal", file).close()
    assert file.stat().st_mode & 0o077 == 0


def test_a_file_that_somebody_holds_is_named_as_busy(file: Path) -> None:
    journal = SqlJournalStore(SqliteFile(file))
    with journal._database.session() as db:
        db.execute("PRAGMA busy_timeout = 50")
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(JournalBusy, match="Another process"):
        journal.record("a", SignedCall(LedgerId("eip155:1"), "paying", "0x", b"1"))
    other.execute("COMMIT")
    other.close()
    journal.record("a", SignedCall(LedgerId("eip155:1"), "paying", "0x", b"1"))
    journal.close()


OPEN = """\
import sys
from pathlib import Path
from caimi.persistence import journal_in
journal_in(Path(sys.argv[1])).close()
"""


@pytest.mark.parametrize(
    ("words", "unwanted"),
    [
        (("-m", "caimi.cli", "--help"), ("sqlalchemy", "alembic")),
        (("-c", OPEN), ("alembic", "psycopg")),
    ],
    ids=["help", "a journal"],
)
def test_nothing_is_imported_that_is_not_needed(
    words: tuple[str, ...], unwanted: tuple[str, ...], file: Path
) -> None:
    opened("journal", file).close()
    more = () if "--help" in words else (str(file),)
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *words, *more],
        check=True,
        capture_output=True,
        text=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "caimi" in imported
    assert imported.isdisjoint(unwanted)


def test_a_lock_that_cannot_be_made_is_named(file: Path) -> None:
    journal = SqlJournalStore(SqliteFile(file))
    with (
        pytest.raises(JournalUnwritable, match="name too long"),
        journal.exclusive("x" * 300, "buy"),
    ):
        pass
    journal.close()
