"""Threads that take work from one queue, handing answers back to the event loop in groups.

A hand-over to a thread and back costs more than running a small model, so a thread goes on with the
next piece of work by itself, and wakes the event loop once for all that is finished by then.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")


class Runners(Generic[T]):
    """At most `threads` threads, as many as there are processors by default.

    Belongs to one event loop. The threads end with it, idle ones as soon as nothing refers to it.
    """

    def __init__(self, threads: int | None = None) -> None:
        self._limit = threads or os.cpu_count() or 1
        self._threads = ThreadPoolExecutor(self._limit, thread_name_prefix="caimi-runner")
        self._lock = threading.Lock()
        self._running = 0
        self._waiting: deque[tuple[Callable[[], T], asyncio.Future[T]]] = deque()
        self._finished: deque[tuple[asyncio.Future[T], T | BaseException]] = deque()
        self._woken = False

    async def run(self, work: Callable[[], T]) -> T:
        """Give what `work` returns, or raise what it raises; what nobody awaits is not begun."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        with self._lock:
            self._waiting.append((work, answer))
            start = self._running < self._limit
            self._running += start
        if start:
            self._threads.submit(self._go_on, loop)
        return await answer

    def _go_on(self, loop: asyncio.AbstractEventLoop) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._running -= 1
                    return
                work, answer = self._waiting.popleft()
            if answer.cancelled():
                continue
            try:
                result: T | BaseException = work()
            except BaseException as error:
                result = error
            self._hand_back(loop, answer, result)

    def _hand_back(
        self,
        loop: asyncio.AbstractEventLoop,
        answer: asyncio.Future[T],
        result: T | BaseException,
    ) -> None:
        with self._lock:
            self._finished.append((answer, result))
            wake, self._woken = not self._woken, True
        if wake and not loop.is_closed():
            loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        with self._lock:
            finished, self._finished = self._finished, deque()
            self._woken = False
        for answer, result in finished:
            if answer.done():
                continue
            if isinstance(result, BaseException):
                answer.set_exception(result)
            else:
                answer.set_result(result)
