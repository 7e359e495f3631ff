"""An instrument before a ledger: it counts what is asked, and takes the ledger's own costs apart.

The ledger lies in the same process as the roles that are measured, so that what answering takes
must come off what the process took: processor time, and memory that was not there before.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from inspect import iscoroutinefunction
from typing import Any

from bench.carrier import resident

FACETS = ("gateway", "clients", "fees")


@dataclass
class Answering:
    """What answering took: questions, seconds of processor time, resident bytes."""

    questions: int = 0
    seconds: float = 0.0
    memory: int = 0

    def take(self, work: Callable[[], Any]) -> Any:
        """Do the ledger's work, and note what it took."""
        began = time.thread_time()
        memory = resident()
        try:
            return work()
        finally:
            self.memory += resident() - memory
            self.seconds += time.thread_time() - began


class _Answer:
    """An answer that is waited for; others may do their work where the ledger waits."""

    def __init__(self, answer: Awaitable[Any], answering: Answering) -> None:
        self._answer = answer
        self._answering = answering

    def __await__(self) -> Generator[Any, None, Any]:
        steps = self._answer.__await__()
        while True:
            try:
                step = self._answering.take(lambda: next(steps))
            except StopIteration as end:
                return end.value
            yield step


class Instrument:
    """A ledger, or one of its facets, that notes in `answering` what it is asked."""

    def __init__(self, measured: Any, answering: Answering) -> None:
        self._measured = measured
        self._answering = answering

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._measured, name)
        if name in FACETS and found is not None:
            found = Instrument(found, self._answering)
        elif iscoroutinefunction(found):
            found = self._question(found)
        elif callable(found):
            found = self._built(found)
        setattr(self, name, found)
        return found

    def _question(self, ask: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def question(*arguments: Any, **settings: Any) -> Any:
            self._answering.questions += 1
            return await _Answer(ask(*arguments, **settings), self._answering)

        return question

    def _built(self, build: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *arguments, **settings: self._answering.take(
            lambda: build(*arguments, **settings)
        )
