"""A process that dies at any point of an operation: a journal's store that takes it along."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from caimi.client.context import Context
from caimi.journal import Journal
from caimi.persistence.journal_store import SqlJournalStore
from caimi.persistence.place import SqliteFile

T = TypeVar("T")


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


async def die_everywhere(
    context: Context, folder: Path, work: Callable[[Context], Awaitable[T]]
) -> T:
    """Run `work` again and again, dying one access later each time, until it completes."""
    for step in range(100):
        journal = mortal_journal(folder / "mortal.sqlite", step)
        try:
            return await work(replace(context, journal=journal))
        except Killed:
            continue
        finally:
            journal.close()
    raise AssertionError("it never completed")
