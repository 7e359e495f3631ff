"""A JSON-RPC server on loopback that answers what a test tells it to, the truth or otherwise."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

Answer = Callable[[object], bytes]


def result(value: object) -> Answer:
    """Answer every request of a call or a batch with `value`."""

    def answer(request: object) -> bytes:
        if isinstance(request, list):
            return json.dumps([{"jsonrpc": "2.0", "id": r["id"], "result": value} for r in request])
        return json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": value})

    return lambda request: answer(request).encode()


def failure(code: int, message: str, data: object = None) -> Answer:
    def answer(request: object) -> bytes:
        error = {"code": code, "message": message, "data": data}
        return json.dumps({"jsonrpc": "2.0", "id": request["id"], "error": error}).encode()

    return answer


class Server:
    """`script` gives the answers in turn, the last one for ever; None drops the connection."""

    def __init__(self, script: list[Answer | int | None]) -> None:
        self.script = script
        self.asked: list[object] = []
        self.url = ""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    int(line.split(b":")[1])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length")
                )
                request = json.loads(await reader.readexactly(length))
                self.asked.append(request)
                answer = self.script[0] if len(self.script) == 1 else self.script.pop(0)
                if answer is None:
                    break
                status = answer if isinstance(answer, int) else 200
                body = b"no" if isinstance(answer, int) else answer(request)
                writer.write(
                    f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(*script: Answer | int | None) -> AsyncIterator[Server]:
    server = Server(list(script))
    listener = await asyncio.start_server(server.handle, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    server.url = f"http://127.0.0.1:{port}"
    try:
        yield server
    finally:
        listener.close()
