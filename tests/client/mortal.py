"""A process that dies at any point of an operation: a journal that takes it along."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from caimi.journal import Journal

T = TypeVar("T")


class Killed(BaseException):
    """The process ends here: nothing may catch it."""


class MortalJournal(Journal):
    """A journal whose process dies before its `deadline`-th access to the disk, counted from 0."""

    def __init__(self, path: Path, deadline: int) -> None:
        super().__init__(path)
        self._left = deadline

    async def _run(self, work: Callable[..., T]) -> T:
        if self._left <= 0:
            raise Killed
        self._left -= 1
        return await super()._run(work)
