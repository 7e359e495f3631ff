"""A worker's HTTP API: run a model, and prove receipts; the Open Inference Protocol beside it.

Who may call it: anyone who reaches the port. What a caller can cost is bounded by the body's size,
the number of requests at once, and the models that the worker holds licences of.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CollectorRegistry, Counter

from caimi import __version__
from caimi.errors.node import RequestInvalid
from caimi.hex_text import read_either_case
from caimi.inference.oip.service import OipService
from caimi.inference.receipt import NONCE_BYTES
from caimi.inference.receipt_store import ReceiptStore
from caimi.inference.wire import shapes_from_json, tensors_from_json, tensors_to_json
from caimi.inference.worker import MAX_AT_ONCE, Worker
from caimi.node.bodies import Bodies
from caimi.node.connections import DRAIN_SECONDS
from caimi.node.http import bytes_field, json_object, service, text_field
from caimi.node.oip_grpc import create_grpc_server
from caimi.node.oip_http import PREFIX, oip_routes, refusal
from caimi.tls.contexts import ServerTls
from caimi.uri import ModelUri

MAX_INPUT_BYTES = 64 << 20


def create_worker_app(
    worker: Worker, receipts: ReceiptStore, *, bodies: Bodies | None = None
) -> FastAPI:
    """Make the HTTP application of `worker`, whose receipts are in `receipts`."""
    bodies = bodies or Bodies(MAX_AT_ONCE)
    registry = CollectorRegistry()
    answers = Counter("caimi_answers", "Requests answered with a receipt", registry=registry)
    app = service("CAIMI worker", registry, MAX_INPUT_BYTES, refusals={PREFIX: refusal})
    app.state.answered = answers.inc
    app.router.routes.extend(oip_routes(OipService(worker), bodies, answers.inc))

    @app.get("/health")
    async def health() -> Response:
        return JSONResponse({"ok": True, "version": __version__, "account": worker.account})

    @app.post("/v1/infer")
    async def infer(request: Request) -> Response:
        await bodies.read(request)
        body = await json_object(request, "model", "nonce", "inputs")
        uri = ModelUri.parse(text_field(body, "model"))
        answer = await worker.infer(
            uri, tensors_from_json(body["inputs"]), bytes_field(body, "nonce", NONCE_BYTES)
        )
        answers.inc()
        document = {
            "outputs": tensors_to_json(answer.outputs),
            "receipt": answer.receipt.as_document(),
        }
        return JSONResponse(document)

    @app.post("/v1/offer")
    async def offer(request: Request) -> Response:
        await bodies.read(request)
        body = await json_object(request, "model", "shapes")
        uri = ModelUri.parse(text_field(body, "model"))
        offered = await worker.offer(uri, shapes_from_json(body["shapes"]))
        return JSONResponse(offered.as_document())

    @app.get("/v1/receipts/{digest}")
    async def prove(digest: str) -> Response:
        try:
            wanted = read_either_case(digest, 32)
        except ValueError as error:
            raise RequestInvalid("A receipt is named by 0x and 64 hex digits.") from error
        inclusion = await asyncio.to_thread(receipts.inclusion, wanted)
        return JSONResponse(inclusion.as_document())

    return app


@asynccontextmanager
async def grpc_beside(
    app: FastAPI,
    worker: Worker,
    host: str,
    port: int | None,
    *,
    at_once: int = MAX_AT_ONCE,
    tls: ServerTls | None = None,
) -> AsyncIterator[int | None]:
    """Serve `worker` over gRPC, too, while the block runs, if there is a port for it; gives it.

    What is answered counts among the answers of `app`. With `tls` nothing plain is answered.

    Raises:
        ConfigInvalid: it cannot listen there.
        CertificateInvalid, CertificateExpired: the certificate cannot be used.
    """
    if port is None:
        yield None
        return
    server, bound = create_grpc_server(
        OipService(worker),
        f"{host}:{port}",
        at_once=at_once,
        max_message_bytes=MAX_INPUT_BYTES,
        answered=app.state.answered,
        tls=tls,
    )
    await server.start()
    try:
        yield bound
    finally:
        await server.stop(DRAIN_SECONDS)
