"""When to try a packet again that was tried and is still open."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Hashable, Iterable
from typing import Final

FIRST_WAIT_SECONDS: Final = 15.0
LONGEST_WAIT_SECONDS: Final = 3600.0


class Retries:
    """Doubling waits, one for each name, from `FIRST_WAIT_SECONDS` to `LONGEST_WAIT_SECONDS`.

    A packet can stay open although the transaction that should have ended it succeeded: its
    application refuses the callback. Whoever carries it again at every step pays for each.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._tried: dict[Hashable, tuple[float, float]] = {}
        self._until: dict[Hashable, float] = {}

    def __len__(self) -> int:
        return len(self._tried)

    def due(self, name: Hashable) -> bool:
        """Whether `name` may be tried now."""
        if self._until and self._clock() < self._until.get(name, -math.inf):
            return False
        at, wait = self._tried.get(name, (0.0, 0.0))
        return self._clock() >= at + wait if wait else True

    def tried(self, names: Iterable[Hashable]) -> None:
        """Note that `names` are tried now."""
        for name in names:
            _, wait = self._tried.get(name, (0.0, FIRST_WAIT_SECONDS / 2))
            self._tried[name] = (self._clock(), min(wait * 2, LONGEST_WAIT_SECONDS))

    def forgive(self, names: Iterable[Hashable]) -> None:
        """Let `names` be tried at once: what went wrong was not theirs."""
        for name in names:
            self._tried.pop(name, None)

    def postpone(self, names: Iterable[Hashable], seconds: float) -> None:
        """Let `names` be tried in so many seconds, and no sooner."""
        until = self._clock() + seconds
        self._until.update((name, until) for name in names)

    def keep(self, names: Container[Hashable]) -> None:
        """Forget all but `names`."""
        self._tried = {name: noted for name, noted in self._tried.items() if name in names}
        self._until = {name: until for name, until in self._until.items() if name in names}
