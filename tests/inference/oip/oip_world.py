"""A worker's servers of the protocol in a thread, and the stock clients of them."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from worker_world import URI, worker_of

from caimi.inference.oip.names import protocol_name
from caimi.inference.receipt_store import ReceiptStore
from caimi.inference.worker import ServedModel, Worker
from caimi.node.bodies import Bodies
from caimi.node.connections import make_server
from caimi.node.worker_app import create_worker_app, grpc_beside
from caimi.persistence import open_receipt_store

NAME = protocol_name(URI)


@dataclass(frozen=True)
class Served:
    """Where the protocol is served, and who answers."""

    http: str
    grpc: str
    worker: Worker
    store: ReceiptStore


@contextmanager
def serving(
    folder: Path,
    *models: ServedModel,
    body_seconds: float = 60.0,
    bodies: int = 64,
    **options: object,
) -> Iterator[Served]:
    """Serve `models` until the block ends; gives both ports as ``127.0.0.1:port``."""
    store = open_receipt_store(None, folder / "receipts.sqlite")
    worker = worker_of(*models, store=store, **options)
    up, found = threading.Event(), []
    loop, stop = asyncio.new_event_loop(), asyncio.Event()

    async def run() -> None:
        app = create_worker_app(worker, store, bodies=Bodies(bodies, body_seconds))
        server = make_server(app, "127.0.0.1", 0)
        server.config.lifespan = "off"
        server.config.load()
        server.lifespan = server.config.lifespan_class(server.config)
        await server.startup()
        serving = asyncio.create_task(server.main_loop())
        async with grpc_beside(app, worker, "127.0.0.1", 0) as port:
            http_port = server.servers[0].sockets[0].getsockname()[1]
            found.extend((f"127.0.0.1:{http_port}", f"127.0.0.1:{port}"))
            up.set()
            await stop.wait()
        serving.cancel()
        await server.shutdown()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    try:
        assert up.wait(20)
        yield Served(*found, worker, store)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)
        loop.close()
        store.close()
