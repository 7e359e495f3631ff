"""Workers' services over HTTP."""

from __future__ import annotations

import json
from typing import Final

import httpx

from caimi.inference.inclusion import Inclusion
from caimi.inference.prices import Offer
from caimi.inference.receipt import SignedReceipt
from caimi.inference.receipt_json import receipt_from_document
from caimi.inference.tensors import Array, Tensors
from caimi.inference.wire import tensors_from_json, tensors_to_json
from caimi.services.endpoint import Endpoint
from caimi.uri import ModelUri

WORKER_TIMEOUT: Final = httpx.Timeout(120.0, connect=3.0)


class HttpWorker:
    """A worker's service (port `WorkerClient`)."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def infer(
        self, uri: ModelUri, inputs: Tensors, nonce: bytes
    ) -> tuple[dict[str, Array], SignedReceipt]:
        """Have a version run; see `WorkerClient.infer`."""
        request = {
            "model": str(uri),
            "nonce": f"0x{nonce.hex()}",
            "inputs": tensors_to_json(inputs),
        }
        answer = await self._endpoint.post("/v1/infer", json.dumps(request))
        receipt = receipt_from_document(answer.get("receipt"))
        return tensors_from_json(answer.get("outputs")), receipt

    async def offer(self, uri: ModelUri, inputs: Tensors) -> Offer:
        """Ask what an answer costs; see `WorkerClient.offer`."""
        shapes = {name: list(value.shape) for name, value in inputs.items()}
        request = json.dumps({"model": str(uri), "shapes": shapes})
        return Offer.from_document(await self._endpoint.post("/v1/offer", request))

    async def inclusion(self, digest: bytes) -> Inclusion:
        """Ask for a receipt's inclusion proof; see `WorkerClient.inclusion`."""
        answer = await self._endpoint.get(f"/v1/receipts/0x{digest.hex()}")
        return Inclusion.from_document(answer)
