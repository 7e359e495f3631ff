"""A file of what one ledger's final blocks told of its models: SQLite, a copy and never the truth.

Many processes may add to one file. Each adds whole blocks from where the file reaches, or from
before that, so that what is in it has no gap, whoever comes first.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from caimi.client.fact_text import read_fact, write_fact
from caimi.errors.ledgers import LedgerAnswerInvalid
from caimi.ledgers.fact_ids import link, subject
from caimi.ledgers.port import BlockFacts, GrantedLicence, ModelFact, RegisteredModel

_SURROUNDINGS: Final = ("BUSY", "LOCKED", "CANTOPEN", "FULL", "IOERR", "READONLY", "PERM")
"""What SQLite says of others, the disk and its permissions, and not of the file's content."""
_VERSION: Final = 2
_REGISTRATION: Final = RegisteredModel.__name__
_GRANT: Final = GrantedLicence.__name__
_SCHEMA: Final = f"""
CREATE TABLE reached (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    height INTEGER NOT NULL,
    hash BLOB NOT NULL
) STRICT;
CREATE TABLE facts (
    height INTEGER NOT NULL,
    place INTEGER NOT NULL,
    time INTEGER NOT NULL,
    tx TEXT NOT NULL,
    kind TEXT NOT NULL,
    about BLOB NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (height, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX facts_about ON facts (about);
CREATE INDEX registrations ON facts (height) WHERE kind = '{_REGISTRATION}';
PRAGMA user_version = {_VERSION};
"""
_COLUMNS: Final = "SELECT height, place, time, tx, kind, body FROM facts"


class FactFileUnusable(Exception):
    """The file can be neither read nor written now; `damaged` when that will not pass."""

    def __init__(self, said: str, *, damaged: bool) -> None:
        super().__init__(said)
        self.damaged = damaged


@dataclass(frozen=True, slots=True)
class KnownFact:
    """A fact about a model, where it came about, and whether that is final.

    `place` orders the facts of one block.
    """

    height: int
    place: int
    time: int
    tx: str
    fact: ModelFact
    final: bool = True


@dataclass(frozen=True, slots=True)
class Reached:
    """The last block that a file has been told of."""

    height: int
    hash: bytes


class FactFile:
    """One file, open, of the blocks after `start`; without a path it is in memory alone.

    All methods raise `FactFileUnusable`.
    """

    def __init__(self, path: Path | None, start: int) -> None:
        self._start = start
        with _named():
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            place = ":memory:" if path is None else path
            self._db = sqlite3.connect(
                place, timeout=10.0, isolation_level=None, check_same_thread=False
            )
            try:
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.execute("PRAGMA synchronous = NORMAL")
                self._prepare()
                if path is not None:
                    path.chmod(0o600)
            except BaseException:
                self._db.close()
                raise

    def _prepare(self) -> None:
        with self._changing():
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            if version == 0:
                for statement in _SCHEMA.split(";"):
                    self._db.execute(statement)
            elif version != _VERSION:
                raise FactFileUnusable(f"The file has schema {version}.", damaged=True)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def reached(self) -> Reached | None:
        """Give the block up to which everything is here; None when there is nothing yet."""
        with _named():
            row = self._db.execute("SELECT height, hash FROM reached").fetchone()
        return None if row is None else Reached(*row)

    def clear(self) -> None:
        """Forget everything."""
        with _named(), self._changing():
            self._db.execute("DELETE FROM facts")
            self._db.execute("DELETE FROM reached")

    def extend(self, after: int, blocks: Iterable[BlockFacts], last: Reached) -> bool:
        """Add what blocks after a height up to `last` told; False when the file begins later.

        Of a block that is here already the reading that tells more is kept: a node can leave out
        what another shows.

        Raises:
            LedgerAnswerInvalid: a block has a time or height that no ledger can have.
        """
        try:
            with _named(), self._changing():
                reached = self.reached()
                before = self._start if reached is None else reached.height
                if before < after:
                    return False
                for block in blocks:
                    if block.height > before or len(block.facts) > self._count(block.height):
                        self._put(block)
                if before < last.height:
                    row = (1, last.height, last.hash)
                    self._db.execute("INSERT OR REPLACE INTO reached VALUES (?, ?, ?)", row)
        except OverflowError as error:
            raise LedgerAnswerInvalid(f"Block {last.height} or its time is beyond all.") from error
        return True

    def _count(self, height: int) -> int:
        row = self._db.execute("SELECT count(*) FROM facts WHERE height = ?", (height,))
        (count,) = row.fetchone()
        return int(count)

    def _put(self, block: BlockFacts) -> None:
        self._db.execute("DELETE FROM facts WHERE height = ?", (block.height,))
        for place, told in enumerate(block.facts):
            fact = told.fact
            if isinstance(fact, ModelFact):
                kind, body = type(fact).__name__, write_fact(fact)
                row = (block.height, place, block.time, told.tx, kind, subject(fact), body)
                self._db.execute("INSERT INTO facts VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def models(self, wanted: Callable[[RegisteredModel], bool]) -> tuple[int, list[KnownFact]]:
        """Give the height reached and the facts of models that are `wanted`, of each in order."""
        with _named(), self._reading() as height:
            registered = self._known(f"WHERE kind = '{_REGISTRATION}' ORDER BY height, place")
            found: list[KnownFact] = []
            for each in registered:
                if isinstance(each.fact, RegisteredModel) and wanted(each.fact):
                    found += self._about([each.fact.model_id])
        return height, found

    def history(self, model_id: bytes) -> tuple[int, list[KnownFact]]:
        """Give the height reached and the facts of a model, its licences and purchases."""
        with _named(), self._reading() as height:
            found = self._about([model_id])
            begun = {begun for each in found if (begun := link(each.fact)) is not None}
            found += self._about(sorted(begun))
        return height, sorted(found, key=lambda each: (each.height, each.place))

    def granted(self, consumers: Collection[bytes]) -> tuple[int, list[KnownFact]]:
        """Give the height reached and the licences given to some accounts (ERC-7930), in order.

        Each comes after the registration of its model.
        """
        with _named(), self._reading() as height:
            granted = [
                each
                for each in self._known("WHERE kind = ? ORDER BY height, place", _GRANT)
                if isinstance(each.fact, GrantedLicence) and each.fact.consumer in consumers
            ]
            ids = sorted({subject(each.fact) for each in granted})
            registered = [
                each for each in self._about(ids) if isinstance(each.fact, RegisteredModel)
            ]
        return height, registered + granted

    def _about(self, ids: Sequence[bytes]) -> list[KnownFact]:
        found: list[KnownFact] = []
        for each in ids:
            found += self._known("WHERE about = ? ORDER BY height, place", each)
        return found

    def _known(self, where: str, *arguments: bytes | str) -> list[KnownFact]:
        return [
            KnownFact(height, place, time, tx, read_fact(kind, body))
            for height, place, time, tx, kind, body in self._db.execute(
                f"{_COLUMNS} {where}", arguments
            )
        ]

    @contextmanager
    def _changing(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    @contextmanager
    def _reading(self) -> Iterator[int]:
        """Read one state of the file; gives the height that it reaches."""
        self._db.execute("BEGIN")
        try:
            reached = self.reached()
            yield self._start if reached is None else reached.height
        finally:
            self._db.execute("ROLLBACK")


@contextmanager
def _named() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FactFileUnusable(str(error), damaged=False) from error
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "").removeprefix("SQLITE_")
        raise FactFileUnusable(str(error), damaged=not name.startswith(_SURROUNDINGS)) from error
    except (ValueError, TypeError) as error:
        raise FactFileUnusable(f"The file is damaged: {error}", damaged=True) from error
