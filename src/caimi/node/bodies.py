"""Request bodies, a bounded number of them at a time, each in bounded time."""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.requests import Request

from caimi.errors.inference import WorkerBusy
from caimi.errors.node import RequestInvalid

BODY_SECONDS: Final = 60.0


class Bodies:
    """Reads bodies, whose sizes the service bounds; together at most `at_once` of that size.

    A body counts from its first byte, so slow senders hold no more memory than the others.
    """

    def __init__(self, at_once: int, seconds: float = BODY_SECONDS) -> None:
        self._places = at_once
        self._seconds = seconds

    async def read(self, request: Request) -> bytes:
        """Read a body whole.

        Raises:
            WorkerBusy: too many are being read.
            RequestInvalid: it does not arrive in time.
        """
        if self._places <= 0:
            raise WorkerBusy("The worker is reading as many requests as it may at a time.")
        self._places -= 1
        try:
            async with asyncio.timeout(self._seconds):
                return await request.body()
        except TimeoutError as error:
            raise RequestInvalid(
                f"The body did not arrive within {self._seconds:g} seconds."
            ) from error
        finally:
            self._places += 1
