"""Requests that wait for one model, taken together by whichever runner is free next."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from caimi.inference.runners import Runners

Asked = TypeVar("Asked")
Answered = TypeVar("Answered")
Outcome = tuple[asyncio.Future[Answered], Answered | Exception]


class RequestQueue(Generic[Asked, Answered]):
    """Requests of one kind; `work` answers several at once, each with an answer or an error.

    Belongs to one event loop. With no wait a request begins as soon as a runner is free, and takes
    along what waits by then, of at most `most` together by `weigh`; with a wait the first waits for
    more, unless there is enough.
    """

    def __init__(
        self,
        runners: Runners[list[Outcome[Answered]]],
        work: Callable[[Sequence[Asked]], Sequence[Answered | Exception]],
        weigh: Callable[[Asked], int],
        most: int,
        wait_seconds: float = 0.0,
    ) -> None:
        self._runners = runners
        self._work = work
        self._weigh = weigh
        self._most = most
        self._wait = wait_seconds
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Asked, asyncio.Future[Answered]]] = deque()
        self._weight = 0
        self._coming = False
        self._timer: asyncio.TimerHandle | None = None
        self._rounds: set[asyncio.Task[None]] = set()

    async def ask(self, asked: Asked) -> Answered:
        """Give the answer, or raise its error."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answered] = loop.create_future()
        with self._lock:
            self._waiting.append((asked, answer))
            self._weight += self._weigh(asked)
            enough = self._weight >= self._most
        if not self._coming:
            if not self._wait or enough:
                self._start()
            elif self._timer is None:
                self._timer = loop.call_later(self._wait, self._start)
        return await answer

    def _start(self) -> None:
        """Have a runner take what waits, unless one that has not begun yet will."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._coming:
            self._coming = True
            loop = asyncio.get_running_loop()
            task = loop.create_task(self._round(loop))
            self._rounds.add(task)
            task.add_done_callback(self._rounds.discard)

    async def _round(self, loop: asyncio.AbstractEventLoop) -> None:
        for answer, outcome in await self._runners.run(lambda: self._take(loop)):
            if answer.done():
                continue
            if isinstance(outcome, Exception):
                answer.set_exception(outcome)
            else:
                answer.set_result(outcome)

    def _take(self, loop: asyncio.AbstractEventLoop) -> list[Outcome[Answered]]:
        """Take what waits, in order, and answer it; runs in a runner's thread."""
        taken: list[tuple[Asked, asyncio.Future[Answered]]] = []
        with self._lock:
            room = self._most
            while self._waiting and (not taken or self._weigh(self._waiting[0][0]) <= room):
                entry = self._waiting.popleft()
                weight = self._weigh(entry[0])
                self._weight -= weight
                if not entry[1].cancelled():
                    taken.append(entry)
                    room -= weight
            more = bool(self._waiting)
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._begun, more)
        outcomes: Sequence[Answered | Exception]
        try:
            outcomes = self._work([asked for asked, _ in taken]) if taken else []
        except Exception as error:  # whatever it is, those who wait must hear of it
            outcomes = [error] * len(taken)
        return [(answer, out) for (_, answer), out in zip(taken, outcomes, strict=True)]

    def _begun(self, more: bool) -> None:
        """What came since, or was left, is for the next round."""
        self._coming = False
        with self._lock:
            more = more or bool(self._waiting)
        if more:
            self._start()
