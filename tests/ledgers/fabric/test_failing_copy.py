"""A copy's file that cannot be written or read is a ledger that is not there, and no more."""

from __future__ import annotations

import resource
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from site_of_stand_in import FabricSite
from stand_in import StandInChannel

from caimi.contracts.bridge_effects import ModelSent
from caimi.errors.ledgers import LedgerUnavailable
from caimi.ledgers.fabric import replica
from caimi.ledgers.fabric.channel import ValidTransaction, Write
from caimi.ledgers.fabric.keys import kept, state_name
from caimi.ledgers.fabric.machine import FabricMachine
from caimi.ledgers.port import NEWEST


@pytest.fixture
async def site(tmp_path: Path) -> FabricSite:
    return await FabricSite.named("near", tmp_path)


@contextmanager
def held(file: Path) -> Iterator[None]:
    """Have another program write there, for long."""
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


@contextmanager
def full(_file: Path) -> Iterator[None]:
    """Let no file grow."""
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.getsignal(signal.SIGXFSZ)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


LARGE = ValidTransaction("ab" * 32, (Write(state_name(b"key"), kept(bytes(20_000_000))),))
"""More than SQLite holds back until the block's end."""


@pytest.mark.parametrize(
    ("failing", "transactions", "why"),
    [(held, (), "database is locked"), (full, (), "disk"), (full, (LARGE,), "disk")],
)
async def test_blocks_that_cannot_be_kept_are_kept_later(
    site: FabricSite, failing, transactions, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica, "_PATIENCE", 0.1)
    machine = site.machine(StandInChannel(site.there))
    await machine.refresh()
    site.there.close_block(transactions)
    said = f"{site.copy.name} .* cannot be used: {why}"
    with failing(site.copy), pytest.raises(LedgerUnavailable, match=said) as failure:
        await machine.refresh()
    assert "made anew" in failure.value.next_step
    await machine.refresh()
    assert machine.head.height == len(site.there.blocks) - 1
    await machine.aclose()


@pytest.mark.parametrize(
    ("table", "read"),
    [
        ("blocks", lambda machine: machine.head),
        ("blocks", lambda machine: machine.block(0)),
        ("state", lambda machine: machine.at(NEWEST).get(b"key")),
        ("acts", lambda machine: machine.find("ab" * 32)),
        ("effects", lambda machine: list(machine.told(-1, 9))),
        ("effects", lambda machine: list(machine.told_of(ModelSent, -1, 9))),
    ],
)
async def test_what_cannot_be_read_is_named(
    site: FabricSite, table: str, read: Callable[[FabricMachine], object]
) -> None:
    machine = site.machine(StandInChannel(site.there))
    await machine.refresh()
    read(machine)
    with closing(sqlite3.connect(site.copy)) as other:
        other.execute(f"DROP TABLE {table}")
    with pytest.raises(LedgerUnavailable, match=f"no such table: {table}"):
        read(machine)
    await machine.aclose()
