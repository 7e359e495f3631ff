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
from caimi.errors.ledgers import LedgerBehind, LedgerUnavailable, WrongLedger
from caimi.hashing import sha256
from caimi.ledgers.machine.calls import SignedAct
from caimi.ledgers.machine.ed25519_accounts import Ed25519Accounts
from caimi.ledgers.machine.machine import IncludedAct, Machine, ToldEffect, site_of
from caimi.ledgers.machine.outcomes import ActOutcome, decode_effect, effect_kind, encode_effect
from caimi.ledgers.port import NEWEST, At, Block, Exactly, LedgerId

E = TypeVar("E", bound=Effect)
BUSY: Final = 5.0
"""How long a program waits while others write, in seconds."""
_TABLES: Final = (
    "TABLE ledger (id TEXT NOT NULL, shift INTEGER NOT NULL)",
    "TABLE blocks (height INTEGER PRIMARY KEY, time INTEGER NOT NULL, hash BLOB NOT NULL)",
    "TABLE state (key BLOB, height INTEGER, value BLOB, PRIMARY KEY (key, height)) WITHOUT ROWID",
    "TABLE acts (tx TEXT PRIMARY KEY, height INTEGER, author BLOB, outcome BLOB) WITHOUT ROWID",
    "TABLE effects (height INTEGER, tx TEXT, kind TEXT, said BLOB)",
    "INDEX effects_by_kind ON effects (kind, height)",
    "INDEX effects_by_height ON effects (height)",
)


class StateAt:
    """The state after the block at a height, of which each key keeps all values (port `State`)."""

    def __init__(self, db: sqlite3.Connection, height: int) -> None:
        self._db = db
        self._height = height

    def get(self, key: bytes) -> bytes | None:
        newest = "SELECT value FROM state WHERE key = ? AND height <= ? ORDER BY height DESC"
        found = self._db.execute(newest, (key, self._height)).fetchone()
        return None if found is None else cast("bytes | None", found[0])

    def put(self, key: bytes, value: bytes) -> None:
        self._write(key, value)

    def delete(self, key: bytes) -> None:
        self._write(key, None)

    def _write(self, key: bytes, value: bytes | None) -> None:
        row = (key, self._height, value)
        self._db.execute("INSERT OR REPLACE INTO state VALUES (?, ?, ?)", row)


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
        return Block(*self._one("SELECT * FROM blocks ORDER BY height DESC LIMIT 1"))

    @property
    def final(self) -> Block:
        return self.block(max(0, self.head.height - self._depth))

    def block(self, height: int) -> Block:
        found = self._db.execute("SELECT * FROM blocks WHERE height = ?", (height,)).fetchone()
        if found is None:
            raise LedgerBehind(f"{self.id} has no block {height}.")
        return Block(*found)

    def at(self, at: At) -> StateAt:
        if isinstance(at, Exactly):
            return StateAt(self._db, self.block(at.height).height)
        return StateAt(self._db, (self.head if at is NEWEST else self.final).height)

    def told(self, after: int, last: int) -> Iterator[ToldEffect]:
        rows = "SELECT said, tx, height FROM effects WHERE height > ? AND height <= ?"
        for said, tx, height in self._db.execute(f"{rows} ORDER BY rowid", (after, last)):
            yield ToldEffect(decode_effect(said), tx, height)

    def told_of(self, kind: type[E], after: int, last: int) -> Iterator[tuple[E, str, int]]:
        rows = "SELECT said, tx, height FROM effects WHERE kind = ? AND height > ? AND height <= ?"
        asked = (effect_kind(kind), after, last)
        for said, tx, height in self._db.execute(f"{rows} ORDER BY rowid", asked):
            yield cast("E", decode_effect(said)), tx, height

    def find(self, tx: str) -> IncludedAct | None:
        act = self._db.execute("SELECT height, outcome FROM acts WHERE tx = ?", (tx,)).fetchone()
        if act is None:
            return None
        rows = self._db.execute("SELECT said FROM effects WHERE tx = ? ORDER BY rowid", (tx,))
        effects = tuple(decode_effect(said) for (said,) in rows)
        return IncludedAct(tx, self.block(act[0]), ActOutcome.decode(act[1], effects))

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
            for table in _TABLES:
                db.execute(f"CREATE {table}")
            db.execute("INSERT INTO ledger VALUES (?, 0)", (self.id,))
            block = self._close(Block(-1, 0, b""), self.id)
            call = Execution(StateAt(db, 0), 0, block.time, Native(administrator))
            self.contracts.found(call, call.caller, Native(guardian))

    async def carry_out(self, signed: SignedAct) -> IncludedAct:
        with self._writing() as db:
            known = self.find(signed.tx)
            if known is not None:
                return known
            head = self.head
            self.admit(signed, head.height + 1)
            block = self._close(head, signed.tx)
            outcome = self.perform(signed, StateAt(db, block.height), block)
            row = (signed.tx, block.height, signed.envelope.author, outcome.encode())
            db.execute("INSERT INTO acts VALUES (?, ?, ?, ?)", row)
            for effect in outcome.effects:
                told = (block.height, signed.tx, effect_kind(effect), encode_effect(effect))
                db.execute("INSERT INTO effects VALUES (?, ?, ?, ?)", told)
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
        self._db.execute("INSERT INTO blocks VALUES (?, ?, ?)", (height, now, digest))
        return Block(height, now, digest)

    @cached_property
    def _db(self) -> sqlite3.Connection:
        where = f"{self._file.absolute().as_uri()}?mode=rw"
        try:
            db = sqlite3.connect(where, uri=True, timeout=self.busy, isolation_level=None)
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.Error as error:
            raise LedgerUnavailable(f"{self.id} is not in {self._file}: {error}.") from error
        return db

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Write whole or not at all, one program at a time."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            raise LedgerUnavailable(f"{self.id} is held by others: {error}.") from error
        try:
            yield self._db
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def _one(self, asked: str) -> tuple[Any, ...]:
        return cast("tuple[Any, ...]", self._db.execute(asked).fetchone())
