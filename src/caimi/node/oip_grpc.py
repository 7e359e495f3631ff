"""The Open Inference Protocol v2 over gRPC: `inference.GRPCInferenceService` of a worker.

Who may call it: anyone who reaches the port. Messages are bounded and never compressed (what they
expand to would not be), requests at a time too, and no connection is kept for ever. With a
certificate it is served over TLS alone: 1.3, and 1.2, which the library cannot be told to refuse.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import unquote

import grpc

from caimi.errors.base import CaimiError
from caimi.errors.databases import DatabaseUnreachable
from caimi.errors.inference import (
    ModelNotRunnable,
    ModelNotServed,
    ModelStillOpening,
    ReceiptStoreDamaged,
    RunFailed,
    WorkerBusy,
)
from caimi.errors.node import LedgerTooSlow, RequestInvalid
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
from caimi.logs import about, logger
from caimi.node.bodies import Bodies
from caimi.node.connections import peer_of
from caimi.node.oip_http import error_text
from caimi.node.request_names import new_name
from caimi.tls.contexts import ServerTls

_log = logger(__name__)
MAX_CONNECTION_MS: Final = 60_000
"""After so long a connection takes no more calls, and after `MAX_CALL_MS` more it is ended."""
MAX_CALL_MS: Final = 90_000
MESSAGE_SECONDS: Final = 30.0
_STATUS: Final[dict[type[CaimiError], grpc.StatusCode]] = {
    ModelStillOpening: grpc.StatusCode.UNAVAILABLE,
    LedgerTooSlow: grpc.StatusCode.DEADLINE_EXCEEDED,
    ModelNotServed: grpc.StatusCode.NOT_FOUND,
    WorkerBusy: grpc.StatusCode.RESOURCE_EXHAUSTED,
    ReceiptStoreDamaged: grpc.StatusCode.INTERNAL,
    DatabaseUnreachable: grpc.StatusCode.UNAVAILABLE,
    ModelNotRunnable: grpc.StatusCode.FAILED_PRECONDITION,
    RunFailed: grpc.StatusCode.FAILED_PRECONDITION,
}
_OF_A_SERVER: Final = [
    ("grpc.max_connection_age_ms", MAX_CONNECTION_MS),
    ("grpc.max_connection_age_grace_ms", MAX_CALL_MS),
    ("grpc.max_connection_idle_ms", MAX_CONNECTION_MS),
    ("grpc.max_concurrent_streams", 128),
    ("grpc.server_handshake_timeout_ms", 10_000),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.so_reuseport", 0),
]
_MOST_COMING: Final = 1024
_Context = Any
_Credentials = Any
_Certificate = Any
_Handler = Callable[[bytes], Awaitable[bytes]]


def create_grpc_server(
    service: OipService,
    address: str,
    *,
    at_once: int,
    max_message_bytes: int,
    answered: Callable[[], None],
    tls: ServerTls | None = None,
) -> tuple[Any, int]:
    """Make a server that listens on ``host:port`` once it is started; give it and its port.

    With `tls` it shows that certificate, to new connections the newest, and asks for none.

    Raises:
        ConfigInvalid: it cannot listen there.
        CertificateInvalid, CertificateExpired: the certificate cannot be used.
    """
    server = grpc.aio.server(
        options=[*options(max_message_bytes), *_OF_A_SERVER],
        # Those whose message is coming have places of their own, which slow senders lose.
        maximum_concurrent_rpcs=at_once + _MOST_COMING,
    )
    methods = _methods(service, answered)
    bodies = Bodies(at_once, MESSAGE_SECONDS)
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler(
                SERVICE,
                {
                    # A call of one message, which is awaited here and not in the library: there a
                    # sender that dribbles would be waited for as long as its connection lasts.
                    name: grpc.stream_unary_rpc_method_handler(_told(handler, bodies))
                    for name, handler in methods.items()
                },
            ),
        )
    )
    try:
        if tls is None:
            port = server.add_insecure_port(address)
        else:
            port = server.add_secure_port(address, _credentials(tls))
    except RuntimeError as error:
        raise ConfigInvalid(f"The worker's gRPC cannot listen on {address}.") from error
    return server, port


def _credentials(tls: ServerTls) -> _Credentials:
    def shown() -> _Certificate:
        certificate, key = tls.own.read()
        return grpc.ssl_server_certificate_configuration([(key, certificate)])

    known = tls.context

    def renewed() -> _Certificate | None:
        """Give what has been read again since the last connection; None for nothing new."""
        nonlocal known
        newest = tls.context
        if newest is known:
            return None
        try:
            new = shown()
        except CaimiError as error:
            _log.warning("%s", error)
            return None
        known = newest
        return new

    return grpc.dynamic_ssl_server_credentials(shown(), renewed)


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


def _told(handler: _Handler, bodies: Bodies) -> Callable[[Any, _Context], Awaitable[bytes]]:
    """Answer a `CaimiError` as a status with our code; of other errors nothing is told."""

    async def handle(_messages: object, context: _Context) -> bytes:
        with about(request=new_name()):
            try:
                data = await bodies.receive(context.read(), _peer(context))
                if not isinstance(data, bytes):
                    raise RequestInvalid("A call without a message is not accepted.")
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


def _peer(context: _Context) -> str:
    """Name who calls: the library gives ``ipv4:127.0.0.1:1234`` or ``ipv6:[::1]:1234``."""
    host = str(context.peer()).partition(":")[2].rpartition(":")[0]
    return peer_of((unquote(host).strip("[]"), 0))
