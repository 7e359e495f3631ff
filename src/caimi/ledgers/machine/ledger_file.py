"""A ledger's SQLite file, whose failures have a name: a full disk, others who hold it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias

from caimi.errors.ledgers import LedgerUnavailable
from caimi.ledgers.port import LedgerId

Row: TypeAlias = tuple[Any, ...]

MAKE_ROOM: Final = "Make room there, or end what holds it, then run the same command again."
_OURS: Final = (sqlite3.IntegrityError, sqlite3.ProgrammingError)  # no failure of the file


class LedgerFile:
    """A connection that begins and ends transactions by itself; `advice` is what helps the file.

    All raise `LedgerUnavailable` where the file fails; what breaks a table's rules stays
    `sqlite3.IntegrityError`.
    """

    def __init__(
        self, ledger: LedgerId, db: sqlite3.Connection, where: Path, advice: str = MAKE_ROOM
    ) -> None:
        self.ledger = ledger
        self._db = db
        self._where = where
        self._advice = advice

    def rows(self, asked: str, given: Sequence[object] = ()) -> Iterator[Row]:
        """Give the rows that are asked for, as they are taken."""
        with self._named():
            yield from self._db.execute(asked, given)

    def first(self, asked: str, given: Sequence[object] = ()) -> Row | None:
        """Give the first of them."""
        with self._named():
            row: Row | None = self._db.execute(asked, given).fetchone()
        return row

    def do(self, told: str, given: Sequence[object] = ()) -> None:
        """Have something done."""
        with self._named():
            self._db.execute(told, given)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Write whole or not at all, one program at a time."""
        self.do("BEGIN IMMEDIATE")
        try:
            yield
            self.do("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # a full disk ends it by itself
                self.do("ROLLBACK")
            raise

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except _OURS:
            raise
        except sqlite3.Error as error:
            raise LedgerUnavailable(
                f"The file {self._where} of {self.ledger} cannot be used: {error}.",
                why="Its disk is full or fails, or another program holds the file for long.",
                next_step=self._advice,
            ) from error
