"""PostgreSQL: durable, apart from each other's, lost and found again, and never showing secrets."""

from __future__ import annotations

import asyncio
import logging
import traceback
from pathlib import Path

import psycopg
import pytest
from postgres_server import PostgresServer
from sites import PostgresSite

from caimi.config import Config, DatabaseSection, load_config
from caimi.errors.databases import DatabaseDriverMissing, DatabaseUnreachable
from caimi.errors.operations import ConfigInvalid, JournalBusy, JournalUnwritable
from caimi.journal import Journal
from caimi.ledgers.port import LedgerId, SignedCall
from caimi.persistence import open_journal, open_receipt_store, open_signed_store
from caimi.persistence.journal_store import SqlJournalStore
from caimi.persistence.place import PostgresSchema, SqliteFile, place_of
from caimi.persistence.signed_store import SqlSignedStore

ORIGIN = b"\x01" * 32
SECRET = "s3cret-of-nobody"
CALL = SignedCall(LedgerId("eip155:1"), "paying", "0xab", b"\x01\x02")


@pytest.fixture
def site(postgres: PostgresServer) -> PostgresSite:
    return PostgresSite(postgres)


def section(url: str, prefix: str = "caimi") -> DatabaseSection:
    return DatabaseSection(url=url, prefix=prefix)


def test_every_commit_is_on_the_servers_disk_whatever_its_defaults_are(
    postgres: PostgresServer, site: PostgresSite
) -> None:
    with postgres.connect() as beside:
        beside.execute("CREATE ROLE careless LOGIN SUPERUSER")
        beside.execute("ALTER ROLE careless SET synchronous_commit = off")
        beside.execute("ALTER ROLE careless SET default_transaction_isolation = 'serializable'")
        beside.execute("ALTER ROLE careless SET lock_timeout = 0")
    place = PostgresSchema(postgres.url_of("postgres", "careless"), site.place("signed").schema)
    store = SqlSignedStore(place)
    with store._database.transaction() as db:
        assert db.execute("SHOW synchronous_commit").fetchone() == ("on",)
        assert db.execute("SHOW transaction_isolation").fetchone() == ("serializable",)
        assert db.execute("SHOW lock_timeout").fetchone() == ("10s",)
    with store._database.session() as db:
        assert db.execute("SHOW transaction_isolation").fetchone() == ("read committed",)
    store.close()


def test_options_of_the_url_are_kept(postgres: PostgresServer, site: PostgresSite) -> None:
    url = f"{postgres.url}&options=-c%20work_mem%3D1MB"
    store = SqlSignedStore(PostgresSchema(url, site.place("signed").schema))
    with store._database.session() as db:
        assert db.execute("SHOW work_mem").fetchone() == ("1MB",)
        assert db.execute("SELECT current_schema()").fetchone() == (site.place("signed").schema,)
    store.close()


def test_stores_of_two_prefixes_and_of_two_workers_know_nothing_of_each_other(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    file = tmp_path / "none.sqlite"
    one = open_signed_store(section(postgres.url, "one"), file)
    two = open_signed_store(section(postgres.url, "two"), file)
    one.stop(ORIGIN, "it forked")
    assert two.stopped(ORIGIN) is None
    names = ["a" * 64, "a" * 63 + "b", "a-b", "a_b"]
    places = {str(place_of(section(postgres.url), file, "receipts", name)) for name in names}
    assert len(places) == len(names)
    stores = [open_receipt_store(section(postgres.url, "one"), file, name) for name in names]
    with postgres.connect() as beside:
        schemas = beside.execute("SELECT nspname FROM pg_namespace").fetchall()
    assert sum(name.startswith("one_receipts") for (name,) in schemas) == len(names)
    for store in (one, two, *stores):
        store.close()
    assert not file.exists()


async def test_a_user_keeps_the_journal_where_the_configuration_says(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    (tmp_path / "caimi.toml").write_text(f'[database]\nurl = "{postgres.url}"\nprefix = "alice"\n')
    journal = open_journal(load_config(tmp_path))
    async with journal.operation("buy", "x") as operation:
        await operation.note(x=1)
    journal.close()
    assert not (tmp_path / "state").exists()
    assert journal.beside("seal").parent == tmp_path / "state"
    with postgres.connect() as beside:
        kept = beside.execute("SELECT facts FROM alice_journal.operations").fetchall()
    assert kept == [('{"x": 1}',)]


def test_without_a_section_stores_are_files(tmp_path: Path) -> None:
    assert place_of(None, tmp_path / "x", "signed") == SqliteFile(tmp_path / "x")


async def test_a_connection_that_the_server_ended_is_opened_again(site: PostgresSite) -> None:
    store = SqlJournalStore(site.place("journal"))
    store.record("a", CALL)
    site.end_connections("journal")
    with pytest.raises(DatabaseUnreachable, match="journal store") as refused:
        store.sent("a")
    assert "server's log" in refused.value.next_step
    assert store.sent("a") == CALL
    store.close()


async def test_an_operation_whose_lock_went_with_its_connection_does_nothing_more(
    site: PostgresSite, tmp_path: Path
) -> None:
    store = SqlJournalStore(site.place("journal"))
    other = SqlJournalStore(site.place("journal"))
    journal = Journal(store, tmp_path / "j")
    async with journal.operation("buy", "x") as operation:
        await operation.note(x=1)
        with pytest.raises(JournalBusy), other.exclusive(operation.key, "buy"):
            pass
        site.end_connections("journal")
        for _ in range(3):
            with pytest.raises(DatabaseUnreachable):
                await operation.note(x=2)
        with pytest.raises(DatabaseUnreachable, match="middle of an operation"):
            await journal.record("a", CALL)
        with pytest.raises(DatabaseUnreachable):
            other.find("a")
        with other.exclusive(operation.key, "buy"):
            pass
    found = await journal.find(operation.key)
    assert found is not None
    assert found.facts == {"x": 1}
    store.close()
    other.close()


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    place = PostgresSchema(f"postgresql+psycopg://caimi:{SECRET}@/caimi?host={tmp_path}", "s")
    with pytest.raises(DatabaseUnreachable, match="in PostgreSQL's schema s cannot be reached"):
        SqlSignedStore(place)


def test_a_database_that_is_not_there_is_named(postgres: PostgresServer) -> None:
    with pytest.raises(DatabaseUnreachable, match="nowhere"):
        SqlSignedStore(PostgresSchema(postgres.url_of("nowhere"), "s"))


def test_a_user_who_may_not_make_a_schema_is_told_so(postgres: PostgresServer) -> None:
    with postgres.connect() as beside:
        beside.execute("CREATE ROLE guest LOGIN")
    with pytest.raises(JournalUnwritable, match="permission denied"):
        SqlJournalStore(PostgresSchema(postgres.url_of("postgres", "guest"), "guests"))


def test_without_its_driver_it_is_said_how_to_install_it(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
    with pytest.raises(DatabaseDriverMissing) as refused:
        SqlSignedStore(PostgresSchema(postgres.url, "s"))
    assert 'pip install "caimi[postgresql]"' in refused.value.next_step


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql+psycopg://caimi:{SECRET}@127.0.0.1:1/caimi",
        f"postgresql://caimi:{SECRET}@127.0.0.1:1/caimi",
        f"postgresql+psycopg://caimi:{SECRET}@127.0.0.1:port/caimi",
        f"postgresql+psycopg://caimi@/caimi?host=/nowhere&password={SECRET}",
        f"mysql://caimi:{SECRET}@127.0.0.1/caimi",
        f"postgresql+psycopg://caimi:{SECRET} @127.0.0.1/caimi",
        f"postgresql+asyncpg://caimi:{SECRET}@127.0.0.1/caimi",
    ],
)
def test_a_password_is_in_no_error_and_no_log(
    url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    (tmp_path / "caimi.toml").write_text(f'[database]\nurl = "{url}"\n')
    with pytest.raises((ConfigInvalid, DatabaseUnreachable)) as refused:
        open_journal(load_config(tmp_path))
    assert SECRET not in "".join(map(str, refused.value.as_dict().values()))
    assert SECRET not in "".join(traceback.format_exception_only(refused.value))
    assert SECRET not in caplog.text


def test_a_configuration_does_not_show_its_password() -> None:
    config = Config(database=section(f"postgresql://caimi:{SECRET}@h/caimi"))
    assert SECRET not in repr(config)
    assert SECRET not in repr(place_of(config.database, Path("x"), "journal"))
    assert SECRET not in str(place_of(config.database, Path("x"), "journal"))


def test_a_password_that_the_driver_repeats_is_left_out(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def talkative(*_: object, **settings: object) -> None:
        raise psycopg.OperationalError(f"no way in with {settings['password']}.")

    monkeypatch.setattr(psycopg, "connect", talkative)
    with pytest.raises(DatabaseUnreachable, match="no way in with …") as refused:
        SqlSignedStore(PostgresSchema(f"postgresql://caimi:{SECRET}@h/caimi", "s"))
    assert SECRET not in str(refused.value)


def test_a_store_that_somebody_locks_for_long_is_named_as_busy(site: PostgresSite) -> None:
    store = SqlJournalStore(site.place("journal"))
    store.take_up("a", "buy")
    with store._database.session() as db:
        db.execute("SET lock_timeout = '50ms'")
    with site._beside("journal") as other, other.transaction():
        other.execute("LOCK TABLE alembic_version")
        with pytest.raises(JournalBusy, match="Another process holds the journal"):
            store.reset("a")
    store.reset("a")
    store.close()


async def test_threads_share_a_store(site: PostgresSite) -> None:
    store = SqlJournalStore(site.place("journal"))
    keys = [f"k{number}" for number in range(40)]
    await asyncio.gather(*(asyncio.to_thread(store.record, key, CALL) for key in keys))
    found = await asyncio.gather(*(asyncio.to_thread(store.sent, key) for key in keys))
    assert found == [CALL] * len(keys)
    store.close()
