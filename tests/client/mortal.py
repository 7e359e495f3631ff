"""A process that dies at any point of an operation: a journal's store that takes it along."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from caimi.journal import Journal
from caimi.persistence.journal_store import SqlJournalStore
from caimi.persistence.place import SqliteFile


class Killed(BaseException):
    """The process ends here: nothing may catch it."""


class MortalStore:
    """A `JournalStore` whose process dies before its `deadline`-th access, counted from 0."""

    def __init__(self, path: Path, deadline: int) -> None:
        self._store = SqlJournalStore(SqliteFile(path))
        self._left = deadline

    def __getattr__(self, name: str) -> Callable[..., Any]:
        do = getattr(self._store, name)
        return do if name in ("exclusive", "close") else lambda *what: self._dying(do, *what)

    def _dying(self, do: Callable[..., Any], *what: object) -> Any:
        if self._left <= 0:
            raise Killed
        self._left -= 1
        return do(*what)


def mortal_journal(path: Path, deadline: int) -> Journal:
    """Open a journal that dies with its process."""
    return Journal(MortalStore(path, deadline), path)
