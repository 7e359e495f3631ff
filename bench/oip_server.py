"""A worker's process with one model, for benchmarks: prints its ports of gRPC and HTTP.

The worker is as in production: receipts signed and on disk before an answer leaves.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from bench.inference import worker_of
from caimi.node.connections import make_server
from caimi.node.worker_app import create_worker_app, grpc_beside


async def serve(model: bytes, threads: int, rows: int) -> None:
    """Serve until standard input ends."""
    with worker_of(model, threads, rows=rows) as (worker, store, _):
        app = create_worker_app(worker, store)
        server = make_server(app, "127.0.0.1", 0)
        config = server.config
        config.lifespan = "off"
        config.load()
        server.lifespan = config.lifespan_class(config)
        await server.startup()
        serving = asyncio.create_task(server.main_loop())
        async with grpc_beside(app, worker, "127.0.0.1", 0) as port:
            http_port = server.servers[0].sockets[0].getsockname()[1]
            sys.stdout.write(f"{port} {http_port}\n")
            sys.stdout.flush()
            await asyncio.to_thread(sys.stdin.read)
        serving.cancel()
        await server.shutdown()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]).read_bytes(), int(sys.argv[2]), int(sys.argv[3])))
