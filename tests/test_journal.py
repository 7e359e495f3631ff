"""What the journal was told is there after a restart; one process at a time is at an operation."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from caimi.errors.operations import JournalBusy, JournalDamaged
from caimi.journal import Journal
from caimi.ledgers.port import LedgerId, SignedCall

CALL = SignedCall(LedgerId("eip155:1"), "paying", "0xab", b"\x01\x02")


async def test_facts_and_transactions_survive_a_restart(tmp_path: Path) -> None:
    first = Journal(tmp_path / "j.sqlite")
    async with first.operation("buy", "model", "bob") as operation:
        await operation.note(amount="5")
        await first.record(operation.outbox_key("pay"), CALL)
    first.close()
    again = Journal(tmp_path / "j.sqlite")
    async with again.operation("buy", "model", "bob") as operation:
        assert operation.facts == {"amount": "5"}
        assert not operation.finished
        assert await again.sent(operation.outbox_key("pay")) == CALL
        await operation.finish()
    assert [record.finished for record in await again.operations()] == [True]


async def test_another_intent_is_another_operation(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.sqlite")
    async with journal.operation("buy", "a", "bc") as one:
        await one.note(x=1)
        async with journal.operation("buy", "ab", "c") as other:
            assert other.facts == {}
            assert other.key != one.key


async def test_reopening_forgets_facts_and_only_its_own_transactions(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.sqlite")
    async with journal.operation("buy", "1") as one, journal.operation("buy", "2") as two:
        for operation in (one, two):
            await operation.note(x=1)
            await journal.record(operation.outbox_key("pay"), CALL)
        await one.reopen()
        assert one.facts == {}
        assert await journal.sent(one.outbox_key("pay")) is None
        assert await journal.sent(two.outbox_key("pay")) == CALL


async def test_two_holders_of_one_operation_are_refused(tmp_path: Path) -> None:
    one, two = Journal(tmp_path / "j.sqlite"), Journal(tmp_path / "j.sqlite")
    async with one.operation("buy", "x"):
        with pytest.raises(JournalBusy):
            async with two.operation("buy", "x"):
                pass
    async with two.operation("buy", "x"):
        pass


def test_a_process_that_dies_lets_go(tmp_path: Path) -> None:
    code = (
        "import asyncio, os, sys\nfrom pathlib import Path\nfrom caimi.journal import Journal\n"
        "async def main():\n"
        "    journal = Journal(Path(sys.argv[1]))\n"
        "    async with journal.operation('buy', 'x') as operation:\n"
        "        await operation.note(paid=True)\n"
        "        os._exit(9)\n"
        "asyncio.run(main())\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "j.sqlite")]
    assert subprocess.run(command, check=False).returncode == 9

    async def look() -> dict[str, object]:
        journal = Journal(tmp_path / "j.sqlite")
        async with journal.operation("buy", "x") as operation:
            return operation.facts

    import asyncio  # noqa: PLC0415 - this test makes its own loop after the child has ended

    assert asyncio.run(look()) == {"paid": True}


def test_a_file_that_is_no_journal_is_refused(tmp_path: Path) -> None:
    (tmp_path / "j.sqlite").write_bytes(b"not a database, surely" * 100)
    with pytest.raises(JournalDamaged):
        Journal(tmp_path / "j.sqlite")


def test_a_journal_from_the_future_is_refused(tmp_path: Path) -> None:
    Journal(tmp_path / "j.sqlite").close()
    with sqlite3.connect(tmp_path / "j.sqlite") as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(JournalDamaged, match="99"):
        Journal(tmp_path / "j.sqlite")


def test_others_cannot_read_it(tmp_path: Path) -> None:
    Journal(tmp_path / "j.sqlite")
    assert (tmp_path / "j.sqlite").stat().st_mode & 0o077 == 0
