"""Writes a second of the stores, on this machine's disk, beside bare SQLite.

The peer commits one row a transaction in a file that is as durable: what the disk takes for a
commit is in both. What a store does more is in the processor's time.
"""

from __future__ import annotations

import secrets
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from bench.result import Result
from caimi.ibc.statements import Kind
from caimi.inference.receipt import Receipt
from caimi.inference.receipt_store import KeptReceipt
from caimi.journal import OperationRecord
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.abi.accounts import EvmAccounts
from caimi.ledgers.port import LedgerId
from caimi.messaging.checkpoint import LedgerStatement
from caimi.persistence import journal_in, open_receipt_store, open_signed_store

ROUNDS, WRITES = 9, 60
BLOCKS = 4
ORIGIN = b"\1" * 32
Write = Callable[[int], object]


def measure() -> list[Result]:
    """Write to each store and to bare SQLite in turns; the best round of each counts."""
    with tempfile.TemporaryDirectory(prefix="caimi-bench-") as name:
        folder = Path(name)
        with _bare(folder) as peer:
            return [
                result
                for store, kept in STORES.items()
                for result in _compare(store, kept, folder, peer)
            ]


def _compare(
    store: str, kept: Callable[[Path], AbstractContextManager[Write]], folder: Path, peer: Write
) -> Iterator[Result]:
    with kept(folder) as write:
        ours, theirs, processor = [], [], []
        for number in range(ROUNDS):
            ours.append(_seconds(write, number, time.perf_counter))
            theirs.append(_seconds(peer, number, time.perf_counter))
            processor.append(_seconds(write, ROUNDS + number, time.process_time))
    a_second, bare = WRITES / min(ours), WRITES / min(theirs)
    yield Result(
        f"{store}_writes_per_second", a_second, "writes/s", "sqlite3", bare, a_second / bare
    )
    yield Result(f"{store}_processor", min(processor) / WRITES * 1e6, "µs a write")


def _seconds(write: Write, turn: int, clock: Callable[[], float]) -> float:
    began = clock()
    for number in range(turn * WRITES, (turn + 1) * WRITES):
        write(number)
    return clock() - began


@contextmanager
def _bare(folder: Path) -> Iterator[Write]:
    database = sqlite3.connect(folder / "bare.sqlite", isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE rows (number INTEGER PRIMARY KEY, content BLOB) STRICT")

    def write(_: int) -> None:
        database.execute("INSERT INTO rows (content) VALUES (?)", (secrets.token_bytes(200),))

    yield write
    database.close()


@contextmanager
def _signed(folder: Path) -> Iterator[Write]:
    """A range of a few blocks that reaches one further than the last one, as validators sign."""
    store = open_signed_store(None, folder / "signed.sqlite")

    def write(number: int) -> None:
        height = number + BLOCKS
        said = LedgerStatement(
            Kind.CHECKPOINT, ORIGIN, b"\5" * 32, number, height, height, b"\2" * 32, BLOCKS
        )
        contents = {at: at.to_bytes(32, "big") for at in range(number + 1, height + 1)}
        store.remember(said, height.to_bytes(32, "big"), contents)

    yield write
    store.close()


@contextmanager
def _journal(folder: Path) -> Iterator[Write]:
    """A fact noted of an operation."""
    store = journal_in(folder / "journal.sqlite").store
    store.take_up("key", "buy")

    def write(number: int) -> None:
        store.save(OperationRecord("key", "buy", {"amount": str(number)}, finished=False))

    yield write
    store.close()


@contextmanager
def _receipts(folder: Path) -> Iterator[Write]:
    """One receipt at a time: a worker writes those of concurrent answers together."""
    store = open_receipt_store(None, folder / "receipts.sqlite")
    made = _made(2 * ROUNDS * WRITES)

    def write(number: int) -> None:
        store.add([made[number]])

    yield write
    store.close()


def _made(count: int) -> list[KeptReceipt]:
    accounts = EvmAccounts(LedgerId("eip155:31337"))
    wallet = accounts.wallet(LocalSigner.generate())
    said = [
        Receipt(
            ledger=LedgerId("eip155:31337"),
            model_id=b"\1" * 32,
            version="1.0.0",
            manifest=b"\2" * 32,
            input_hash=secrets.token_bytes(32),
            output_hash=secrets.token_bytes(32),
            engine="bench",
            price=0,
            time=1_700_000_000,
            worker=wallet.name,
        )
        for _ in range(count)
    ]
    return [KeptReceipt.of(each.sign(wallet), accounts) for each in said]


STORES = {"signed": _signed, "journal": _journal, "receipts": _receipts}
