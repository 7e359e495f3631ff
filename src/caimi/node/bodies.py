"""Bodies of requests, a bounded number of them read at a time, each in bounded time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable
from typing import Final, TypeVar

from starlette.requests import Request

from caimi.errors.inference import WorkerBusy
from caimi.errors.node import RequestInvalid
from caimi.node.connections import peer_of

BODY_SECONDS: Final = 60.0
T = TypeVar("T")


class Bodies:
    """Reads bodies, whose sizes the service bounds; together at most `at_once` of that size.

    A body counts from its first byte, so slow senders hold no more memory than the others. When all
    places are taken the next one gets that of the body which has come the longest, of the peer that
    has most: slow senders keep nobody out.
    """

    def __init__(self, at_once: int, seconds: float = BODY_SECONDS) -> None:
        self._most = at_once
        self._seconds = seconds
        self._coming: dict[asyncio.Timeout, str] = {}

    async def read(self, request: Request) -> bytes:
        """Read a body whole; raises as `receive`."""
        client = request.client
        peer = peer_of(None if client is None else (client.host, client.port))
        return await self.receive(request.body(), peer)

    async def receive(self, body: Awaitable[T], peer: str) -> T:
        """Await a body that comes from `peer`.

        Raises:
            WorkerBusy: others needed its place.
            RequestInvalid: it does not arrive in time.
        """
        if len(self._coming) >= self._most:
            self._drop_one()
        limit = asyncio.timeout(self._seconds)
        self._coming[limit] = peer
        try:
            async with limit:
                return await body
        except TimeoutError as error:
            if limit not in self._coming:
                raise WorkerBusy(
                    "The worker is reading as many requests as it may at a time."
                ) from error
            raise RequestInvalid(
                f"The body did not arrive within {self._seconds:g} seconds."
            ) from error
        finally:
            self._coming.pop(limit, None)

    def _drop_one(self) -> None:
        counts = Counter(self._coming.values())
        largest = max(counts, key=counts.__getitem__)
        oldest = next(limit for limit, peer in self._coming.items() if peer == largest)
        del self._coming[oldest]
        oldest.reschedule(asyncio.get_running_loop().time())
