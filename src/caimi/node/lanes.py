"""Questions in lanes: one kind and size on one ledger waits for no other, nor one peer for another.

Each lane does a few questions at a time. A peer has at most half of the places, and free places go
in turn to the peers that wait, so that many questions of one delay its own.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from enum import Enum
from typing import Final

from caimi.errors.node import AskedTooMuch, LedgerTooSlow

QUESTION_SECONDS: Final = 30.0
"""How long a question may wait and be worked on together; who asks gives up before."""
MOST_WAITING: Final = 64
"""Of one peer in one lane."""
_PEERS_WAITING: Final = 1024
SHORT_BLOCKS: Final = 500
SHORT_ABSENCES: Final = 64


class LaneKind(Enum):
    """What is asked, by what it costs; the value is how many of it are done at a time."""

    BLOCKS = ("blocks", 8)
    MANY_BLOCKS = ("many blocks", 2)
    ABSENCES = ("absences", 8)
    MANY_ABSENCES = ("many absences", 2)
    PATHS = ("paths", 4)
    SHARE = ("share", 8)
    QUOTE = ("quote", 4)

    @classmethod
    def of_blocks(cls, number: int) -> LaneKind:
        """Give the lane of a range of blocks."""
        return cls.BLOCKS if number <= SHORT_BLOCKS else cls.MANY_BLOCKS

    @classmethod
    def of_absences(cls, number: int) -> LaneKind:
        """Give the lane of a list of packets."""
        return cls.ABSENCES if number <= SHORT_ABSENCES else cls.MANY_ABSENCES


class Lanes:
    """The lanes of one service; `ledgers` are those that it follows, all others share one."""

    def __init__(self, ledgers: Collection[str], seconds: float = QUESTION_SECONDS) -> None:
        self._ledgers = frozenset(ledgers)
        self._seconds = seconds
        self._lanes: dict[tuple[str, LaneKind], _Lane] = {}

    @asynccontextmanager
    async def take(self, ledger: str, kind: LaneKind, peer: str) -> AsyncIterator[None]:
        """Wait for a place, and give it back; the block is ended when its time is up.

        Raises:
            AskedTooMuch: too many questions wait.
            LedgerTooSlow: the time is up.
        """
        known = ledger if ledger in self._ledgers else ""
        lane = self._lanes.setdefault((known, kind), _Lane(kind.value[1]))
        try:
            async with asyncio.timeout(self._seconds):
                await lane.enter(peer)
                try:
                    yield
                finally:
                    lane.leave(peer)
        except TimeoutError as error:
            raise LedgerTooSlow(
                f"A question about {kind.value[0]} of {ledger[:41]} took more than "
                f"{self._seconds:g} seconds."
            ) from error


class _Lane:
    def __init__(self, places: int) -> None:
        self._places = places
        self._share = max(1, places // 2)
        self._running: Counter[str] = Counter()
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    async def enter(self, peer: str) -> None:
        if self._is_free(peer) and peer not in self._waiting:
            self._running[peer] += 1
            return
        mine = self._waiting.get(peer)
        if len(self._waiting) >= _PEERS_WAITING if mine is None else len(mine) >= MOST_WAITING:
            raise AskedTooMuch("Too many such questions wait already.")
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(peer, deque()).append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.leave(peer)  # it was given the place, and is gone
            else:
                self._forget(peer, place)
            raise

    def leave(self, peer: str) -> None:
        self._running[peer] -= 1
        if not self._running[peer]:
            del self._running[peer]
        for waiting in list(self._waiting):
            if self._is_free(waiting) and self._give(waiting):
                return

    def _give(self, peer: str) -> bool:
        """Give a free place to the first of a peer's questions that nobody has given up."""
        mine = self._waiting[peer]
        self._waiting.move_to_end(peer)
        place = next((each for each in mine if not each.done()), None)
        while mine and mine.popleft() is not place:
            pass
        if not mine:
            del self._waiting[peer]
        if place is None:
            return False
        self._running[peer] += 1
        place.set_result(None)
        return True

    def _is_free(self, peer: str) -> bool:
        return self._running.total() < self._places and self._running[peer] < self._share

    def _forget(self, peer: str, place: asyncio.Future[None]) -> None:
        waiting = self._waiting.get(peer)
        if waiting is not None and place in waiting:
            waiting.remove(place)
            if not waiting:
                del self._waiting[peer]
