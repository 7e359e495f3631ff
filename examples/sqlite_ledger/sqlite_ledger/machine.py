"""One ledger: its blocks, its state, and what acts did, in the tables of one file."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from caimi.contracts.deployment import Contracts
from caimi.contracts.execution import Effect, Execution
from caimi.contracts.identifiers import Account as Native
from caimi.errors.ledgers import LedgerUnavailable, WrongLedger
from caimi.hashing import sha256
from caimi.ledgers.machine.calls import SignedAct
from caimi.ledgers.machine.ed25519_accounts import Ed25519Accounts
from caimi.ledgers.machine.ledger_file import LedgerFile
from caimi.ledgers.machine.machine import IncludedAct, Machine, ToldEffect, site_of
from caimi.ledgers.machine.tables import LedgerTables, StateAt
from caimi.ledgers.port import NEWEST, At, Block, Exactly, LedgerId

E = TypeVar("E", bound=Effect)
BUSY: Final = 5.0
"""How long a program waits while others write, in seconds."""


class SqliteMachine(Machine):
    """A ledger in a file. Each act makes a block, final when `depth` more lie on it."""

    def __init__(self, ledger: LedgerId, file: Path, depth: int = 0) -> None:
        self.id = ledger
        self._accounts = Ed25519Accounts(ledger)
        self.contracts = Contracts.over(site_of(ledger), self._accounts)
        self._file = file
        self._depth = depth
        self.busy = BUSY

    # --- reading --------------------------------------------------------------------------------

    @property
    def accounts(self) -> Ed25519Accounts:
        return self._accounts

    @property
    def clock(self) -> int:
        """The computer's clock, as far ahead as `advance` has moved the ledger."""
        (shift,) = self._one("SELECT shift FROM ledger")
        return int(time.time()) + cast("int", shift)

    @property
    def head(self) -> Block:
        head = self._tables.head
        if head is None:
            raise LedgerUnavailable(f"{self.id} has not begun in {self._file}.")
        return head

    @property
    def final(self) -> Block:
        return self.block(max(0, self.head.height - self._depth))

    def block(self, height: int) -> Block:
        return self._tables.block(height)

    def at(self, at: At) -> StateAt:
        if isinstance(at, Exactly):
            return self._tables.at(self.block(at.height).height)
        return self._tables.at((self.head if at is NEWEST else self.final).height)

    def told(self, after: int, last: int) -> Iterator[ToldEffect]:
        return self._tables.told(after, last)

    def told_of(self, kind: type[E], after: int, last: int) -> Iterator[tuple[E, str, int]]:
        return self._tables.told_of(kind, after, last)

    def find(self, tx: str) -> IncludedAct | None:
        return self._tables.find(tx)

    async def check(self) -> None:
        (named,) = self._one("SELECT id FROM ledger")
        if named != self.id:
            raise WrongLedger(f"{self._file} holds the ledger {named}, not {self.id}.")

    async def aclose(self) -> None:
        if "_db" in vars(self):
            self._db.close()
            del self._db

    # --- writing --------------------------------------------------------------------------------

    def found(self, administrator: bytes, guardian: bytes) -> None:
        """Make a new ledger, whole or not at all.

        Raises:
            FileExistsError: something is in the file.
            LedgerUnavailable: there can be no such file.
        """
        try:
            self._file.touch()
        except OSError as error:
            raise LedgerUnavailable(f"{self.id} cannot be in {self._file}: {error}.") from error
        with self._writing() as db:
            if db.execute("SELECT 1 FROM sqlite_master").fetchone():
                raise FileExistsError(self._file)
            self._tables.make()
            db.execute("CREATE TABLE ledger (id TEXT NOT NULL, shift INTEGER NOT NULL)")
            db.execute("INSERT INTO ledger VALUES (?, 0)", (self.id,))
            block = self._close(Block(-1, 0, b""), self.id)
            call = Execution(self._tables.at(0), 0, block.time, Native(administrator))
            self.contracts.found(call, call.caller, Native(guardian))

    async def carry_out(self, signed: SignedAct) -> IncludedAct:
        with self._writing():
            known = self.find(signed.tx)
            if known is not None:
                return known
            head = self.head
            self.admit(signed, head.height + 1)
            block = self._close(head, signed.tx)
            outcome = self.perform(signed, self._tables.at(block.height), block)
            self._tables.add_act(signed.tx, block.height, signed.envelope.author, outcome)
        return IncludedAct(signed.tx, block, outcome)

    def advance(self, seconds: int = 0, blocks: int = 1) -> None:
        """Move the ledger's clock, and make empty blocks."""
        with self._writing() as db:
            db.execute("UPDATE ledger SET shift = shift + ?", (seconds,))
            for _ in range(blocks):
                self._close(self.head, "")

    def _close(self, before: Block, content: str) -> Block:
        height, now = before.height + 1, max(self.clock, before.time)
        digest = sha256(before.hash + height.to_bytes(8) + now.to_bytes(8) + content.encode())
        block = Block(height, now, digest)
        self._tables.add_block(block)
        return block

    @cached_property
    def _db(self) -> sqlite3.Connection:
        where = f"{self._file.absolute().as_uri()}?mode=rw"
        try:
            db = sqlite3.connect(where, uri=True, timeout=self.busy, isolation_level=None)
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.Error as error:
            raise LedgerUnavailable(f"{self.id} is not in {self._file}: {error}.") from error
        return db

    @property
    def _tables(self) -> LedgerTables:
        return LedgerTables(LedgerFile(self.id, self._db, self._file))

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Write whole or not at all, one program at a time."""
        with self._tables.writing():
            yield self._db

    def _one(self, asked: str) -> tuple[Any, ...]:
        return cast("tuple[Any, ...]", self._db.execute(asked).fetchone())
