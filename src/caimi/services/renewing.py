"""An HTTP transport whose certificates and trust are renewed without a restart."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import httpx

from caimi.tls.contexts import ClientTls

KEPT: Final = httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=3.0)
"""Idle connections are given up two seconds before our services close them: one that is asked over
while it is being closed, far away, gets no answer."""


class RenewingTransport(httpx.AsyncBaseTransport):
    """Connects as `tls` says now; connections of before end with their last answer."""

    def __init__(self, tls: ClientTls) -> None:
        self._tls = tls
        self._current = _Generation(tls)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, by connections that were made under today's trust."""
        if self._current.number != self._tls.generation:
            earlier, self._current = self._current, _Generation(self._tls)
            await earlier.retire()
        return await self._current.send(request)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._current.http.aclose()


class _Generation:
    """The connections of one context, which are closed once it is another's turn."""

    def __init__(self, tls: ClientTls) -> None:
        self.number = tls.generation
        self.http = httpx.AsyncHTTPTransport(verify=tls.context, limits=KEPT)
        self._under_way = 0
        self._retired = False

    async def send(self, request: httpx.Request) -> httpx.Response:
        self._under_way += 1
        try:
            response = await self.http.handle_async_request(request)
        except BaseException:
            await self._ended()
            raise
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = _Counted(response.stream, self)
        return response

    async def retire(self) -> None:
        self._retired = True
        if not self._under_way:
            await self.http.aclose()

    async def _ended(self) -> None:
        self._under_way -= 1
        if self._retired and not self._under_way:
            await self.http.aclose()

    async def close(self, stream: httpx.AsyncByteStream) -> None:
        try:
            await stream.aclose()
        finally:
            await self._ended()


class _Counted(httpx.AsyncByteStream):
    """An answer, counted until it is closed."""

    def __init__(self, stream: httpx.AsyncByteStream, generation: _Generation) -> None:
        self._stream = stream
        self._generation = generation
        self._closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._stream:
            yield part

    async def aclose(self) -> None:
        if not self._closed:
            self._closed = True
            await self._generation.close(self._stream)
