"""The Open Inference Protocol v2 over gRPC: `inference.GRPCInferenceService` of a worker.

Who may call it: anyone who reaches the port. Messages are bounded and never compressed (what they
expand to would not be), requests at a time too, and no connection is kept for ever.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

import grpc

from caimi.errors.base import CaimiError
from caimi.errors.inference import (
    ModelNotRunnable,
    ModelNotServed,
    ReceiptStoreDamaged,
    RunFailed,
    WorkerBusy,
)
from caimi.errors.operations import ConfigInvalid
from caimi.inference.oip import open_inference_pb2 as pb
from caimi.inference.oip.channel import SERVICE, options
from caimi.inference.oip.service import EXTENSIONS, SERVER, OipService
from caimi.inference.oip.wire import (
    decode_request,
    encode_answer,
    model_info_message,
    parse_message,
)
from caimi.node.oip_http import error_text

_log = logging.getLogger(__name__)
MAX_CONNECTION_MS: Final = 600_000
_STATUS: Final[dict[type[CaimiError], grpc.StatusCode]] = {
    ModelNotServed: grpc.StatusCode.NOT_FOUND,
    WorkerBusy: grpc.StatusCode.RESOURCE_EXHAUSTED,
    ReceiptStoreDamaged: grpc.StatusCode.INTERNAL,
    ModelNotRunnable: grpc.StatusCode.FAILED_PRECONDITION,
    RunFailed: grpc.StatusCode.FAILED_PRECONDITION,
}
_OF_A_SERVER: Final = [
    ("grpc.max_connection_age_ms", MAX_CONNECTION_MS),
    ("grpc.max_connection_age_grace_ms", MAX_CONNECTION_MS),
    ("grpc.max_concurrent_streams", 1024),
    ("grpc.so_reuseport", 0),
]
_Context = Any
_Handler = Callable[[bytes], Awaitable[bytes]]


def create_grpc_server(
    service: OipService,
    address: str,
    *,
    at_once: int,
    max_message_bytes: int,
    answered: Callable[[], None],
) -> tuple[Any, int]:
    """Make a server that listens on ``host:port`` once it is started; give it and its port.

    Raises:
        ConfigInvalid: it cannot listen there.
    """
    server = grpc.aio.server(
        options=[*options(max_message_bytes), *_OF_A_SERVER], maximum_concurrent_rpcs=at_once
    )
    methods = _methods(service, answered)
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler(
                SERVICE,
                {
                    name: grpc.unary_unary_rpc_method_handler(_told(handler))
                    for name, handler in methods.items()
                },
            ),
        )
    )
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise ConfigInvalid(f"The worker's gRPC cannot listen on {address}.") from error
    return server, port


def _methods(service: OipService, answered: Callable[[], None]) -> dict[str, _Handler]:
    async def live(_data: bytes) -> bytes:
        return bytes(pb.ServerLiveResponse(live=True).SerializeToString())

    async def ready(_data: bytes) -> bytes:
        return bytes(pb.ServerReadyResponse(ready=True).SerializeToString())

    async def server(_data: bytes) -> bytes:
        said = pb.ServerMetadataResponse(
            name=SERVER, version=service.version, extensions=EXTENSIONS
        )
        return bytes(said.SerializeToString())

    async def model_ready(data: bytes) -> bytes:
        asked = parse_message(pb.ModelReadyRequest, data)
        is_ready = await service.ready(asked.name, asked.version)
        return bytes(pb.ModelReadyResponse(ready=is_ready).SerializeToString())

    async def model(data: bytes) -> bytes:
        asked = parse_message(pb.ModelMetadataRequest, data)
        return model_info_message(await service.model(asked.name, asked.version))

    async def infer(data: bytes) -> bytes:
        answer = encode_answer(await service.infer(decode_request(data)))
        answered()
        return answer

    return {
        "ServerLive": live,
        "ServerReady": ready,
        "ServerMetadata": server,
        "ModelReady": model_ready,
        "ModelMetadata": model,
        "ModelInfer": infer,
    }


def _told(handler: _Handler) -> Callable[[bytes, _Context], Awaitable[bytes]]:
    """Answer a `CaimiError` as a status with our code; of other errors nothing is told."""

    async def handle(data: bytes, context: _Context) -> bytes:
        try:
            return await handler(data)
        except CaimiError as error:
            status = next(
                (code for kind, code in _STATUS.items() if isinstance(error, kind)),
                grpc.StatusCode.INVALID_ARGUMENT,
            )
            text = error_text(error)
        except Exception:
            _log.exception("A request over gRPC failed")
            status, text = grpc.StatusCode.INTERNAL, "The worker failed."
        await context.abort(status, text)
        raise AssertionError("abort raises")

    return handle
