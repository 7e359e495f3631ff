"""A ledger in this process behind a node's HTTP address, for commands that connect themselves."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from caimi.ledgers.evm.local.embedded import EmbeddedChain
from caimi.ledgers.evm.local.embedded_rpc import EmbeddedProvider


@contextmanager
def node_of(chain: EmbeddedChain) -> Iterator[str]:
    """Serve `chain` on loopback; gives the URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = json.dumps(
                [self.answer(one) for one in asked]
                if isinstance(asked, list)
                else self.answer(asked)
            ).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def answer(self, request: dict[str, object]) -> object:
            response = asyncio.run(
                EmbeddedProvider(chain).make_request(request["method"], request["params"])
            )
            return {**response, "id": request["id"]}

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
