"""A worker's HTTP API: run a model, and prove receipts.

Who may call it: anyone who reaches the port. What a caller can cost is bounded by the body's size,
the number of requests at once, and the models that the worker holds licences of.
"""

from __future__ import annotations

import asyncio

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CollectorRegistry, Counter

from caimi.errors.node import RequestInvalid
from caimi.inference.receipt import NONCE_BYTES
from caimi.inference.receipt_store import ReceiptStore
from caimi.inference.wire import tensors_from_json, tensors_to_json
from caimi.inference.worker import Worker
from caimi.node.http import bytes_field, json_object, service, text_field
from caimi.uri import ModelUri

MAX_INPUT_BYTES = 64 << 20


def create_worker_app(worker: Worker, receipts: ReceiptStore) -> FastAPI:
    """Make the HTTP application of `worker`, whose receipts are in `receipts`."""
    registry = CollectorRegistry()
    answers = Counter("caimi_answers", "Requests answered with a receipt", registry=registry)
    app = service("CAIMI worker", registry, MAX_INPUT_BYTES)

    @app.get("/health")
    async def health() -> Response:
        return JSONResponse({"ok": True, "account": f"0x{worker.account.hex()}"})

    @app.post("/v1/infer")
    async def infer(request: Request) -> Response:
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

    @app.get("/v1/receipts/{digest}")
    async def prove(digest: str) -> Response:
        if len(digest) != 66 or not digest.startswith("0x"):
            raise RequestInvalid("A receipt is named by 0x and 64 hex digits.")
        try:
            wanted = bytes.fromhex(digest[2:])
        except ValueError as error:
            raise RequestInvalid("A receipt is named by 0x and 64 hex digits.") from error
        inclusion = await asyncio.to_thread(receipts.inclusion, wanted)
        return JSONResponse(inclusion.as_document())

    return app
