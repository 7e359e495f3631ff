"""Statements of SQLAlchemy Core, compiled once to what the driver takes.

Compiling, caching and the result's wrapping cost SQLAlchemy some 100 µs a statement, as much as a
dozen statements cost SQLite: the statements of a kind of store are compiled when the first is
opened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Final, TypeVar

from sqlalchemy import Dialect, Table, bindparam
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler

from caimi.persistence.driver import Connection, Rows

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

T = TypeVar("T")


class PreparedStatement:
    """A statement's text for one driver, the order of its parameters, and those with a value."""

    def __init__(self, text: str, names: Sequence[str], fixed: Mapping[str, object]) -> None:
        self._text = text
        self._fixed = fixed
        self._ordered: Callable[[Mapping[str, object]], Sequence[object]] = (
            itemgetter(*names) if len(names) > 1 else lambda values: [values[n] for n in names]
        )

    def on(self, connection: Connection, **values: object) -> Rows:
        """Execute it with a value for each of its parameters."""
        if self._fixed:
            values.update(self._fixed)
        return connection.execute(self._text, self._ordered(values))

    def on_each(self, connection: Connection, rows: Iterable[Mapping[str, object]]) -> None:
        """Execute it for every row."""
        ordered = [self._ordered(row) for row in rows]
        if ordered:
            connection.executemany(self._text, ordered)


class Preparer:
    """Compiles the statements of a store for a dialect whose parameters are positional."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect

    def __call__(self, clause: ClauseElement) -> PreparedStatement:
        """Compile a statement; what differs each time is a `bindparam` without a value."""
        compiled = clause.compile(dialect=self._dialect)
        assert isinstance(compiled, SQLCompiler)
        fixed = {
            name: bind.effective_value for name, bind in compiled.binds.items() if not bind.required
        }
        return PreparedStatement(str(compiled), tuple(compiled.positiontup or ()), fixed)

    def insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """Begin an INSERT that may say what happens on a conflict, alike in both dialects."""
        if self._dialect.name == "postgresql":
            from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - loads slowly

            return postgresql.insert(table)
        return sqlite.insert(table)

    def insert_new(self, table: Table, columns: Sequence[str]) -> PreparedStatement:
        """Compile an INSERT of these columns that leaves a row alone that is there already."""
        binds: dict[str, object] = {name: bindparam(name) for name in columns}
        return self(self.insert(table).values(binds).on_conflict_do_nothing())


_PREPARED: Final[dict[tuple[str, str, object], object]] = {}


def prepared(dialect: Dialect, make: Callable[[Preparer], T]) -> T:
    """Give what `make` compiles for a dialect's driver; it is made once."""
    key = dialect.name, dialect.driver, make
    kept = _PREPARED.get(key)
    if kept is None:
        kept = _PREPARED[key] = make(Preparer(dialect))
    return kept  # type: ignore[return-value] # the key names its type
