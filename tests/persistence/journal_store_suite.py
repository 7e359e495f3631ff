"""What every journal's store keeps to: what it was told is there after a restart."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sites import StoreSite, each_site

from caimi.errors.operations import JournalBusy, JournalDamaged, JournalUnwritable
from caimi.journal import Journal
from caimi.ledgers.port import LedgerId, SignedCall
from caimi.persistence.journal_store import SqlJournalStore

CALL = SignedCall(LedgerId("eip155:1"), "paying", "0xab", b"\x01\x02")
OTHER = SignedCall(LedgerId("eip155:2"), "paying — «more»", "0xcd", bytes(range(256)))
PROCESS = Path(__file__).with_name("other_process.py")


class Opened:
    """Journals of one store, closed after the test."""

    def __init__(self, site: StoreSite, folder: Path) -> None:
        self._site, self._folder = site, folder
        self._stack = ExitStack()

    def __call__(self) -> Journal:
        store = SqlJournalStore(self._site.place("journal"))
        self._stack.callback(store.close)
        return Journal(store, self._folder / "journal.sqlite")

    def close(self) -> None:
        self._stack.close()


class JournalStoreSuite:
    """Needs a fixture `site`."""

    @pytest.fixture
    def opened(self, site: StoreSite, tmp_path: Path) -> Iterator[Opened]:
        made = Opened(site, tmp_path)
        yield made
        made.close()

    async def test_facts_and_transactions_survive_a_restart(self, opened: Opened) -> None:
        first = opened()
        async with first.operation("buy", "model", "bob") as operation:
            await operation.note(amount="5", said="«ü\x00»", nested={"a": [1, None]})
            await first.record(operation.outbox_key("pay"), CALL)
        first.close()
        again = opened()
        async with again.operation("buy", "model", "bob") as operation:
            assert operation.facts == {"amount": "5", "said": "«ü\x00»", "nested": {"a": [1, None]}}
            assert not operation.finished
            assert await again.sent(operation.outbox_key("pay")) == CALL
            await operation.finish()
        assert [record.finished for record in await again.operations()] == [True]

    async def test_another_intent_is_another_operation(self, opened: Opened) -> None:
        journal = opened()
        async with journal.operation("buy", "a", "bc") as one:
            await one.note(x=1)
            async with journal.operation("buy", "ab", "c") as other:
                assert other.facts == {}
                assert other.key != one.key

    async def test_operations_are_listed_in_the_order_of_their_beginning(
        self, opened: Opened
    ) -> None:
        journal = opened()
        for name in ("c", "a", "b"):
            async with journal.operation("buy", name) as operation:
                await operation.note(name=name)
        async with journal.operation("buy", "c") as operation:
            await operation.finish()
        assert [each.facts["name"] for each in await journal.operations()] == ["c", "a", "b"]

    async def test_reopening_forgets_facts_and_only_its_own_transactions(
        self, opened: Opened
    ) -> None:
        journal = opened()
        async with journal.operation("buy", "1") as one, journal.operation("buy", "2") as two:
            for operation in (one, two):
                await operation.note(x=1)
                await journal.record(operation.outbox_key("pay"), CALL)
            await one.reopen()
            assert one.facts == {}
            assert await journal.sent(one.outbox_key("pay")) is None
            assert await journal.sent(two.outbox_key("pay")) == CALL
            found = await journal.find(one.key)
            assert found is not None
            assert found.facts == {}

    async def test_forgetting_takes_a_key_and_its_attempts_and_no_other(
        self, opened: Opened
    ) -> None:
        journal = opened()
        kept = ["a/pay2", "a/pa", "b/pay", "a/pay%", "A/pay"]
        for key in ["a/pay", "a/pay#1", "a/pay#2", *kept]:
            await journal.record(key, CALL)
        await journal.forget("a/pay")
        assert [await journal.sent(key) for key in ("a/pay", "a/pay#1", "a/pay#2")] == [None] * 3
        assert [await journal.sent(key) for key in kept] == [CALL] * len(kept)

    async def test_a_transaction_takes_the_place_of_an_earlier_one(self, opened: Opened) -> None:
        journal = opened()
        await journal.record("a/pay", CALL)
        await journal.record("a/pay", OTHER)
        assert await journal.sent("a/pay") == OTHER

    async def test_what_was_never_begun_is_not_found(self, opened: Opened) -> None:
        assert await opened().find("buy-nothing") is None

    async def test_two_holders_of_one_operation_are_refused(self, opened: Opened) -> None:
        one, two = opened(), opened()
        async with one.operation("buy", "x"):
            for journal in (one, two):
                with pytest.raises(JournalBusy):
                    async with journal.operation("buy", "x"):
                        pass
            async with two.operation("buy", "y"):
                pass
        async with two.operation("buy", "x"):
            pass

    async def test_a_process_that_dies_lets_go(self, opened: Opened, site: StoreSite) -> None:
        journal = opened()
        command = [str(PROCESS), "die-in-an-operation", *site.words("journal")]
        process = await asyncio.create_subprocess_exec(sys.executable, *command)
        assert await process.wait() == 9
        for attempt in range(100):
            try:
                async with journal.operation("buy", "x") as operation:
                    assert operation.facts == {"paid": True}
                return
            except JournalBusy:  # a server notices the end of a connection a moment later
                assert attempt < 99
                await asyncio.sleep(0.05)

    async def test_facts_that_were_tampered_with_are_named(
        self, opened: Opened, site: StoreSite
    ) -> None:
        journal = opened()
        async with journal.operation("buy", "x") as operation:
            await operation.note(x=1)
        for damaged in ("[1]", "{", ""):
            site.told("journal", "UPDATE operations SET facts = ?", (damaged,))
            with pytest.raises(JournalDamaged, match="no JSON object"):
                await journal.find(operation.key)

    async def test_a_journal_whose_tables_were_changed_is_named(
        self, opened: Opened, site: StoreSite
    ) -> None:
        journal = opened()
        site.told("journal", "DROP TABLE operations")
        with pytest.raises(JournalDamaged, match="cannot be read"):
            await journal.operations()

    async def test_a_full_disk_is_named_and_the_journal_goes_on_afterwards(
        self, opened: Opened, site: StoreSite
    ) -> None:
        journal = opened()
        async with journal.operation("buy", "x") as operation:
            await operation.note(x=1)
            with site.full(journal.store._database, "operations"):
                with pytest.raises(JournalUnwritable) as refused:
                    await operation.note(much="x" * 100_000)
                assert "Make room" in refused.value.next_step
            found = await journal.find(operation.key)
            assert found is not None
            assert found.facts == {"x": 1}
            await operation.note(y=2)

    async def test_what_may_not_be_written_to_is_named(
        self, opened: Opened, site: StoreSite
    ) -> None:
        journal = opened()
        async with journal.operation("buy", "x") as operation:
            with (
                site.read_only(journal.store._database),
                pytest.raises(JournalUnwritable, match=r"read-?only"),
            ):
                await operation.note(x=1)
            await operation.note(x=2)

    @settings(each_site, max_examples=15)
    @given(
        facts=st.dictionaries(
            st.text(max_size=5),
            st.recursive(
                st.none() | st.booleans() | st.integers() | st.text(max_size=9),
                lambda inner: st.lists(inner, max_size=3),
                max_leaves=6,
            ),
            max_size=4,
        ),
        raw=st.binary(max_size=64),
        what=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=9),
    )
    def test_whatever_is_noted_is_read_again(
        self, opened: Opened, facts: dict[str, object], raw: bytes, what: str
    ) -> None:
        async def note_and_read() -> None:
            journal, again = opened(), opened()
            call = SignedCall(LedgerId("eip155:1"), what, "0x", raw)
            async with journal.operation("note") as operation:
                operation.facts = dict(facts)
                await operation.note()
                await journal.record(operation.outbox_key("pay"), call)
            found = await again.find(operation.key)
            assert found is not None
            assert found.facts == facts
            assert await again.sent(operation.outbox_key("pay")) == call
            journal.close()
            again.close()

        asyncio.run(note_and_read())
