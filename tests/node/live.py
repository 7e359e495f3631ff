"""Our applications behind the real server, and raw connections to it."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import FastAPI

from caimi.node.connections import Peers, make_server
from caimi.tls.contexts import ServerTls


@contextmanager
def live(app: FastAPI, peers: Peers | None = None, tls: ServerTls | None = None) -> Iterator[int]:
    """Serve `app` as our services do; gives the port."""
    loop, up, stop, ports = asyncio.new_event_loop(), threading.Event(), asyncio.Event(), []

    async def run() -> None:
        server = make_server(app, "127.0.0.1", 0, peers, tls=tls)
        server.config.lifespan = "off"
        server.config.load()
        server.lifespan = server.config.lifespan_class(server.config)
        await server.startup()
        serving = asyncio.create_task(server.main_loop())
        ports.append(server.servers[0].sockets[0].getsockname()[1])
        up.set()
        await stop.wait()
        serving.cancel()
        server.force_exit = True
        await server.shutdown()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    try:
        assert up.wait(20)
        yield ports[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)
        loop.close()


def connected(port: int, timeout: float = 20) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=timeout)


def said(raw: socket.socket) -> bytes:
    """What comes until the other end closes; nothing, where it breaks the connection."""
    parts = []
    try:
        while part := raw.recv(65_536):
            parts.append(part)
    except ConnectionError:
        pass
    return b"".join(parts)
