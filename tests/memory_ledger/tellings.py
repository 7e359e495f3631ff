"""What calls told, in the order of the blocks."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TypeVar, cast

from caimi.contracts.execution import Effect
from caimi.ledgers.machine.machine import ToldEffect

E = TypeVar("E", bound=Effect)


class Tellings:
    """All effects of a ledger's calls."""

    def __init__(self) -> None:
        self._all: list[ToldEffect] = []
        self._of: defaultdict[type[Effect], list[ToldEffect]] = defaultdict(list)

    def add(self, told: ToldEffect) -> None:
        """Take one in; none is of an earlier block than the one before."""
        self._all.append(told)
        self._of[type(told.effect)].append(told)

    def between(self, from_height: int, to_height: int) -> Iterator[ToldEffect]:
        """Give all effects of blocks (from_height, to_height]."""
        return iter(self._all[_after(self._all, from_height) : _after(self._all, to_height)])

    def of(self, kind: type[E], from_height: int, to_height: int) -> Iterator[tuple[E, str, int]]:
        """Give the effects of a kind in blocks (from_height, to_height], with tx and height."""
        every = self._of[kind]
        for each in every[_after(every, from_height) : _after(every, to_height)]:
            yield cast("E", each.effect), each.tx, each.height

    def undo(self, height: int) -> None:
        """Forget what is above a height."""
        for each in (self._all, *self._of.values()):
            del each[_after(each, height) :]


def _after(told: Sequence[ToldEffect], height: int) -> int:
    return bisect_right(told, height, key=lambda each: each.height)
