"""Long work in threads, seen from the event loop: progress outwards, cancellation inwards."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

Progress = Callable[[int, int], None]
"""Called on the event loop with (bytes done, bytes in all)."""

T = TypeVar("T")


class Stopped(Exception):
    """The caller was cancelled; never leaves `interruptible`."""


async def interruptible(run: Callable[[], T], stop: threading.Event) -> T:
    """Run blocking work in a thread; when cancelled, tell it to stop and wait until it has."""
    task = asyncio.ensure_future(asyncio.to_thread(run))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait([task])
        task.exception()  # looked at and dropped: the cancellation is what the caller asked for
        raise


def reporter(total: int, progress: Progress | None) -> Callable[[int], None]:
    """Give what threads call with the bytes just done; call this on the event loop."""
    if progress is None:
        return lambda _: None
    loop = asyncio.get_running_loop()
    done = 0

    def report(count: int) -> None:
        nonlocal done
        done += count
        loop.call_soon_threadsafe(progress, done, total)

    return report
