"""What opening a store keeps to: newest tables, made once, and nothing else taken for a store."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sites import StoreSite
from sqlalchemy import MetaData

from caimi.errors.base import CaimiError
from caimi.errors.databases import StoreTooNew
from caimi.errors.inference import ReceiptStoreDamaged
from caimi.errors.messaging import SignedStoreDamaged
from caimi.errors.operations import JournalDamaged
from caimi.persistence.journal_store import JOURNAL, SqlJournalStore
from caimi.persistence.kinds import StoreKind
from caimi.persistence.receipt_store import RECEIPTS_KIND, SqlReceiptStore
from caimi.persistence.signed_store import SIGNED, SqlSignedStore
from caimi.persistence.tables.metadata import METADATA

PROCESS = Path(__file__).with_name("other_process.py")
STORES = {
    "journal": (SqlJournalStore, JOURNAL, JournalDamaged),
    "signed": (SqlSignedStore, SIGNED, SignedStoreDamaged),
    "receipts": (SqlReceiptStore, RECEIPTS_KIND, ReceiptStoreDamaged),
}
every_store = pytest.mark.parametrize("store", STORES)


def opened_and_closed(store: str, site: StoreSite, at: str = "") -> None:
    STORES[store][0](site.place(at or store)).close()


class OpeningSuite:
    """Needs a fixture `site`."""

    @every_store
    def test_the_migrations_make_the_tables_that_the_program_knows(
        self, site: StoreSite, store: str
    ) -> None:
        opened = STORES[store][0](site.place(store))
        kind: StoreKind = STORES[store][1]
        known = MetaData()
        for name in {*kind.tables, *({"spoiled"} if store == "signed" else ())}:
            METADATA.tables[name].to_metadata(known)
        with opened._database._driver.engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            differences = compare_metadata(context, known)
        opened.close()
        assert [each for each in differences if "rowid" not in str(each)] == []

    @every_store
    def test_a_store_is_at_the_newest_revision_of_its_line(
        self, site: StoreSite, store: str
    ) -> None:
        for _ in range(2):
            opened_and_closed(store, site)
            revision = STORES[store][1].revision
            assert site.told(store, "SELECT version_num FROM alembic_version") == [(revision,)]

    @every_store
    def test_a_store_of_a_newer_program_is_refused(self, site: StoreSite, store: str) -> None:
        opened_and_closed(store, site)
        site.mark_version(store, f"{store}_99")
        with pytest.raises(StoreTooNew, match=f"{store}_99") as refused:
            opened_and_closed(store, site)
        assert "Upgrade" in refused.value.next_step
        site.mark_version(store, STORES[store][1].revision)
        opened_and_closed(store, site)

    @pytest.mark.parametrize(
        ("store", "other"), [("journal", "receipts"), ("signed", "journal"), ("receipts", "signed")]
    )
    def test_another_stores_tables_are_refused(
        self, site: StoreSite, store: str, other: str
    ) -> None:
        opened_and_closed(other, site)
        with pytest.raises(STORES[store][2], match=f"no {store} store"):
            opened_and_closed(store, site, at=other)
        opened_and_closed(other, site)

    @pytest.mark.parametrize("store", ["signed"])
    def test_of_processes_that_begin_together_one_makes_the_tables(
        self, site: StoreSite, store: str
    ) -> None:
        beginners = [
            subprocess.Popen(
                [sys.executable, PROCESS, store, *site.words(store)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(3)
        ]
        for each in beginners:
            assert each.stdout is not None
            assert each.stdout.readline() == "ready\n"
        for each in beginners:
            assert each.stdin is not None
            each.stdin.write("\n")
            each.stdin.flush()
        for each in beginners:
            each.communicate(timeout=120)
        assert [each.returncode for each in beginners] == [0, 0, 0]
        revision = STORES[store][1].revision
        assert site.told(store, "SELECT version_num FROM alembic_version") == [(revision,)]

    @every_store
    def test_what_breaks_off_half_way_leaves_nothing(
        self, site: StoreSite, store: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Killed(BaseException):
            """The process ends here."""

        def killed(*_: object) -> None:
            raise Killed

        with monkeypatch.context() as broken:
            broken.setattr("alembic.runtime.migration.HeadMaintainer._insert_version", killed)
            with pytest.raises(Killed):
                opened_and_closed(store, site)
        assert site.tables(store) == set()
        opened_and_closed(store, site)

    def test_a_closed_store_is_of_no_use(self, site: StoreSite) -> None:
        store = SqlSignedStore(site.place("signed"))
        store.close()
        with pytest.raises(CaimiError):
            store.stopped(b"\x01" * 32)
