"""A worker behind the protocol: names become models, and answers can bring their receipts."""

from __future__ import annotations

import secrets
from importlib.metadata import version as package_version
from typing import Final

from caimi.errors.ids import InvalidModelUri
from caimi.errors.inference import ModelNotServed, WrongInput
from caimi.hex_text import read_either_case
from caimi.inference.oip.messages import (
    NONCE,
    WANTED,
    InferAnswer,
    InferRequest,
    ModelInfo,
    Parameters,
    signature_info,
)
from caimi.inference.oip.names import protocol_name, uri_of
from caimi.inference.receipt import NONCE_BYTES
from caimi.inference.worker import ServedModel, Worker
from caimi.uri import ModelUri

SERVER: Final = "caimi"
EXTENSIONS: Final = ("binary_tensor_data", "caimi_receipt")
PLATFORM: Final = "onnx_onnxv1"


class OipService:
    """What the protocol asks of a server, of the models that `worker` serves."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self.version = package_version("caimi")

    async def ready(self, name: str, version: str) -> bool:
        """Whether a model can be asked; it is opened for that, if need be.

        Raises:
            WorkerBusy: too many requests are under way.
        """
        try:
            await self._worker.open(_served_uri(name, version))
        except ModelNotServed:
            return False
        return True

    async def model(self, name: str, version: str) -> ModelInfo:
        """Describe a model.

        Raises:
            ModelNotServed: the worker does not serve it.
            UnreadableTensors: it takes or gives elements that the protocol does not have.
        """
        served = await self._worker.open(_served_uri(name, version))
        return model_info(served)

    async def infer(self, request: InferRequest) -> InferAnswer:
        """Run a model; with a nonce, or where it is asked for, the receipt is a parameter.

        Raises:
            ModelNotServed, WrongInput, RunFailed, WorkerBusy…: see `Worker.infer`.
        """
        wanted, nonce = _receipt_wish(request.parameters)
        uri = _served_uri(request.model, request.version)
        answer = await self._worker.infer(uri, request.inputs, nonce, outputs=request.outputs)
        asked = request.outputs or answer.outputs
        return InferAnswer(
            model=request.model,
            version=answer.receipt.receipt.version,
            outputs={name: answer.outputs[name] for name in asked},
            id=request.id,
            parameters={WANTED: answer.receipt.to_json()} if wanted else {},
        )


def model_info(served: ServedModel) -> ModelInfo:
    """Describe an opened model; raises as `OipService.model`."""
    return ModelInfo(
        name=protocol_name(served.uri),
        versions=(served.uri.selector or "",),
        platform=PLATFORM,
        inputs=signature_info(tuple(served.session.inputs)),
        outputs=signature_info(tuple(served.session.outputs)),
    )


def _served_uri(name: str, version: str) -> ModelUri:
    try:
        return uri_of(name, version)
    except InvalidModelUri as error:
        raise ModelNotServed(
            f"No such model is served: {error.what}", next_step=error.next_step
        ) from error


def _receipt_wish(parameters: Parameters) -> tuple[bool, bytes]:
    """Give whether a receipt is wanted, and its nonce: the requester's or one of our own."""
    wanted = parameters.get(WANTED, NONCE in parameters)
    if not isinstance(wanted, bool):
        raise WrongInput(f"The parameter {WANTED} must be true or false.")
    if NONCE not in parameters:
        return wanted, secrets.token_bytes(NONCE_BYTES)
    text = parameters[NONCE]
    try:
        return wanted, read_either_case(text, NONCE_BYTES)
    except ValueError:
        raise WrongInput(
            f"The parameter {NONCE} must be 0x and {2 * NONCE_BYTES} hex digits.",
            why="A receipt is for one requester alone, who tells it by its nonce.",
            next_step="Draw 32 random bytes for each request.",
        ) from None
