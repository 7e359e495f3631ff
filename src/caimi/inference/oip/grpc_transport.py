"""The way to a remote server of the protocol over gRPC."""

from __future__ import annotations

from typing import Any, Final

import grpc

from caimi.errors.inference import (
    RemoteAnswerInvalid,
    RemoteRefused,
    RemoteUnreachable,
    UnreadableTensors,
)
from caimi.inference.oip import open_inference_pb2 as pb
from caimi.inference.oip import wire
from caimi.inference.oip.channel import SERVICE, options
from caimi.inference.oip.messages import InferAnswer, InferRequest, ModelInfo

_MAX_REFUSAL: Final = 300
_GONE: Final = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED})


class GrpcTransport:
    """The protocol over gRPC, tensors as raw contents (see `Transport`)."""

    def __init__(self, target: str, tls: bool, seconds: float, max_answer_bytes: int) -> None:
        self._target = target
        self._seconds = seconds
        settings = [*options(max_answer_bytes), ("grpc.enable_http_proxy", 0)]
        self._channel = (
            grpc.secure_channel(target, grpc.ssl_channel_credentials(), settings)
            if tls
            else grpc.insecure_channel(target, settings)
        )

    def model(self, name: str, version: str) -> ModelInfo:
        """Ask for a model's metadata; see `Transport.model`."""
        asked = pb.ModelMetadataRequest(name=name, version=version)
        answer = self._ask("ModelMetadata", asked.SerializeToString())
        try:
            return wire.decode_model_info(answer)
        except UnreadableTensors as error:
            raise RemoteAnswerInvalid(f"{self._target}: {error.what}") from error

    def infer(self, request: InferRequest) -> InferAnswer:
        """Have a model run; see `Transport.infer`."""
        answer = self._ask("ModelInfer", wire.encode_request(request))
        try:
            return wire.decode_answer(answer)
        except UnreadableTensors as error:
            raise RemoteAnswerInvalid(f"{self._target}: {error.what}") from error

    def close(self) -> None:
        """Close the connections."""
        self._channel.close()

    def _ask(self, method: str, message: bytes) -> bytes:
        call: Any = self._channel.unary_unary(f"/{SERVICE}/{method}")
        try:
            return bytes(call(message, timeout=self._seconds))
        except grpc.RpcError as error:
            code, details = error.code(), str(error.details())[:_MAX_REFUSAL]
            if code in _GONE:
                raise RemoteUnreachable(f"{self._target} does not answer: {details}") from error
            raise RemoteRefused(f"{self._target} answered {code.name}: {details}") from error
