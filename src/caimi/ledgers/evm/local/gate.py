"""A gate before a server on loopback: while it is closed, nothing that the server says gets out."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

from caimi.errors.base import CaimiError

HOST: Final = "127.0.0.1"
_CHUNK: Final = 1 << 16
_CONNECTIONS: Final = 512


async def _at_once() -> None:
    """Hold nothing back."""


class Gate:
    """Carries bytes between clients and the server on the port `behind`, unread and unchanged.

    What the server says after `closed` was entered is not passed on before it is left. More than
    512 connections at once are turned away.
    """

    def __init__(self, behind: int) -> None:
        self._behind = behind
        self._open = asyncio.Event()
        self._open.set()
        self._settled: Callable[[], Awaitable[None]] = _at_once
        self._connections: set[asyncio.Task[None]] = set()

    @contextmanager
    def closed(self) -> Iterator[None]:
        """Hold everything back. It stays closed when the work inside fails."""
        self._open.clear()
        yield
        self._open.set()

    @asynccontextmanager
    async def serving(
        self, port: int, settled: Callable[[], Awaitable[None]] = _at_once
    ) -> AsyncIterator[None]:
        """Take clients on a port; what the server says is passed on once `settled` returns.

        Where that raises a `CaimiError`, the connection is closed.

        Raises:
            OSError: the port is taken.
        """
        self._settled = settled
        server = await asyncio.start_server(self._accept, HOST, port)
        try:
            yield
        finally:
            server.close()
            for connection in list(self._connections):
                connection.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) >= _CONNECTIONS:
            writer.close()
            return
        connection = asyncio.create_task(self._carry(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, CaimiError), contextlib.closing(writer):
            answers, server = await asyncio.open_connection(HOST, self._behind)
            with contextlib.closing(server):
                asking = asyncio.create_task(_ask(reader, server))
                try:
                    while chunk := await answers.read(_CHUNK):
                        await self._open.wait()
                        await self._settled()
                        writer.write(chunk)
                        await writer.drain()
                finally:
                    asking.cancel()
                    await asyncio.gather(asking, return_exceptions=True)


async def _ask(reader: asyncio.StreamReader, server: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(_CHUNK):
        server.write(chunk)
        await server.drain()
    server.write_eof()
