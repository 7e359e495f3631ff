"""What a ledger's blocks did, kept in a SQLite file: each key's values by height, acts, effects.

For machines that keep all of it themselves: a ledger that is a file, or a copy that follows the
blocks of a ledger elsewhere. One program writes at a time, whole blocks or nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any, Final, TypeVar, cast

from caimi.contracts.execution import Effect
from caimi.errors.ledgers import LedgerBehind
from caimi.ledgers.machine.ledger_file import LedgerFile
from caimi.ledgers.machine.machine import IncludedAct, ToldEffect
from caimi.ledgers.machine.outcomes import ActOutcome, decode_effect, effect_kind, encode_effect
from caimi.ledgers.port import Block

E = TypeVar("E", bound=Effect)

_TABLES: Final = (
    "TABLE IF NOT EXISTS blocks (height INTEGER PRIMARY KEY, time INTEGER NOT NULL, hash BLOB)",
    """TABLE IF NOT EXISTS state
    (key BLOB, height INTEGER, value BLOB, PRIMARY KEY (key, height)) WITHOUT ROWID""",
    """TABLE IF NOT EXISTS acts
    (tx TEXT PRIMARY KEY, height INTEGER, author BLOB, outcome BLOB) WITHOUT ROWID""",
    "TABLE IF NOT EXISTS effects (height INTEGER, tx TEXT, kind TEXT, said BLOB)",
    "INDEX IF NOT EXISTS effects_by_kind ON effects (kind, height)",
    "INDEX IF NOT EXISTS effects_by_height ON effects (height)",
    "INDEX IF NOT EXISTS effects_by_tx ON effects (tx)",
)


class StateAt:
    """The state after the block at a height (the contracts' port `State`), to read and write."""

    def __init__(self, file: LedgerFile, height: int) -> None:
        self._file = file
        self._height = height

    def get(self, key: bytes) -> bytes | None:
        newest = "SELECT value FROM state WHERE key = ? AND height <= ? ORDER BY height DESC"
        found = self._file.first(newest, (key, self._height))
        return None if found is None else cast("bytes | None", found[0])

    def put(self, key: bytes, value: bytes) -> None:
        self._write(key, value)

    def delete(self, key: bytes) -> None:
        self._write(key, None)

    def _write(self, key: bytes, value: bytes | None) -> None:
        row = (key, self._height, value)
        self._file.do("INSERT OR REPLACE INTO state VALUES (?, ?, ?)", row)


class LedgerTables:
    """The tables of one ledger; all raises `LedgerUnavailable` where its file fails."""

    def __init__(self, file: LedgerFile) -> None:
        self._file = file

    def make(self) -> None:
        """Make the tables that are not there."""
        for table in _TABLES:
            self._file.do(f"CREATE {table}")

    # --- reading --------------------------------------------------------------------------------

    @property
    def head(self) -> Block | None:
        """The newest block, None before the first."""
        row = self._file.first("SELECT * FROM blocks ORDER BY height DESC LIMIT 1")
        return None if row is None else Block(*row)

    def block(self, height: int) -> Block:
        """Give a block; raises `LedgerBehind` where there is none."""
        found = self._file.first("SELECT * FROM blocks WHERE height = ?", (height,))
        if found is None:
            raise LedgerBehind(f"{self._file.ledger} has no block {height}.")
        return Block(*found)

    def at(self, height: int) -> StateAt:
        """Give the state after a block."""
        return StateAt(self._file, height)

    def told(self, after: int, last: int) -> Iterator[ToldEffect]:
        """Give all effects of blocks (after, last], in order."""
        rows = "SELECT said, tx, height FROM effects WHERE height > ? AND height <= ?"
        for said, tx, height in self._file.rows(f"{rows} ORDER BY rowid", (after, last)):
            yield ToldEffect(decode_effect(said), tx, height)

    def told_of(self, kind: type[E], after: int, last: int) -> Iterator[tuple[E, str, int]]:
        """Give the effects of a kind in those blocks, with tx and height."""
        rows = "SELECT said, tx, height FROM effects WHERE kind = ? AND height > ? AND height <= ?"
        asked = (effect_kind(kind), after, last)
        for said, tx, height in self._file.rows(f"{rows} ORDER BY rowid", asked):
            yield cast("E", decode_effect(said)), tx, height

    def find(self, tx: str) -> IncludedAct | None:
        """Give what became of an act, or None where it is in no block."""
        act = self._file.first("SELECT height, outcome FROM acts WHERE tx = ?", (tx,))
        if act is None:
            return None
        rows = self._file.rows("SELECT said FROM effects WHERE tx = ? ORDER BY rowid", (tx,))
        effects = tuple(decode_effect(said) for (said,) in rows)
        return IncludedAct(tx, self.block(act[0]), ActOutcome.decode(act[1], effects))

    # --- writing --------------------------------------------------------------------------------

    def writing(self) -> AbstractContextManager[None]:
        """Write whole or not at all, one program at a time."""
        return self._file.writing()

    def add_block(self, block: Block) -> StateAt:
        """Begin a block; gives the state after it, as yet that before it."""
        row = (block.height, block.time, block.hash)
        self._file.do("INSERT INTO blocks VALUES (?, ?, ?)", row)
        return StateAt(self._file, block.height)

    def add_act(self, tx: str, height: int, author: bytes, outcome: ActOutcome) -> None:
        """Say what became of an act in a block."""
        row = (tx, height, author, outcome.encode())
        self._file.do("INSERT INTO acts VALUES (?, ?, ?, ?)", row)
        for effect in outcome.effects:
            told: tuple[Any, ...] = (height, tx, effect_kind(effect), encode_effect(effect))
            self._file.do("INSERT INTO effects VALUES (?, ?, ?, ?)", told)
