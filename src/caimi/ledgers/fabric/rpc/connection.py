"""A connection to one peer: TLS both ways, deadlines, bounds, and going on after a break."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import grpc
import grpc.aio
from cryptography.hazmat.primitives import serialization

from caimi.errors.fabric import FabricAnswerInvalid, FabricIdentityInvalid, FabricUnavailable
from caimi.ledgers.fabric.msp.identity import read_certificate
from caimi.ledgers.fabric.rpc.refusals import RefusedCall, is_gone, named_error, unreachable
from caimi.ledgers.fabric.wire import read_message

MAX_MESSAGE_BYTES: Final = 64 << 20
"""More than the largest block that orderers make by default (10 MB), with its endorsements."""
_MAX_ROOTS_BYTES: Final = 1 << 20
_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 1.0
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class PeerEndpoint:
    """Where a peer is, and how both ends are known; certificates and the key are in PEM.

    `host` is the name in the peer's certificate where that is not the address. Without a
    certificate of its own the client shows none.
    """

    address: str
    tls_roots: bytes
    certificate: bytes | None = None
    key: bytes | None = None
    host: str | None = None

    @classmethod
    def load(
        cls,
        address: str,
        tls_roots: Path,
        certificate: Path | None = None,
        key: Path | None = None,
        host: str | None = None,
    ) -> PeerEndpoint:
        """Read the files.

        Raises:
            FabricIdentityInvalid: one is not there.
        """
        return cls(
            address,
            _read(tls_roots),
            _read(certificate) if certificate else None,
            _read(key) if key else None,
            host,
        )

    @property
    def binding(self) -> bytes:
        """What ties a signed request for blocks to the TLS certificate; empty without one."""
        if self.certificate is None:
            return b""
        der = read_certificate(self.certificate).public_bytes(serialization.Encoding.DER)
        return hashlib.sha256(der).digest()


@dataclass(frozen=True, slots=True)
class CallPatience:
    """How long a call waits, in seconds.

    For one answer; for peers that cannot be reached; for peers that lag behind each other.
    """

    answer: float = 30.0
    reach: float = 10.0
    agree: float = 5.0


class PeerConnection:
    """A connection to a peer; it is made when it is needed, and made anew after a break."""

    def __init__(self, endpoint: PeerEndpoint, patience: CallPatience | None = None) -> None:
        self.endpoint = endpoint
        self.patience = patience or CallPatience()
        credentials = grpc.ssl_channel_credentials(
            endpoint.tls_roots, endpoint.key, endpoint.certificate
        )
        options: list[tuple[str, Any]] = [
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
            ("grpc.enable_http_proxy", 0),
            ("grpc.initial_reconnect_backoff_ms", 50),
            ("grpc.min_reconnect_backoff_ms", 50),
            ("grpc.max_reconnect_backoff_ms", 1_000),
            ("grpc.keepalive_time_ms", 120_000),
            ("grpc.keepalive_timeout_ms", 20_000),
            ("grpc.use_local_subchannel_pool", 1),
        ]
        if endpoint.host is not None:
            options.append(("grpc.ssl_target_name_override", endpoint.host))
        self._channel = grpc.aio.secure_channel(endpoint.address, credentials, options)

    async def aclose(self) -> None:
        """Close it."""
        await self._channel.close()

    async def __aenter__(self) -> PeerConnection:
        """Give it."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close it."""
        await self.aclose()

    async def ask(
        self, method: str, request: object, answer: type[Answer], seconds: float | None = None
    ) -> Answer:
        """Call a method that has one answer; asked again while the peer cannot be reached.

        Only what may be asked twice may be asked so: all that peers are asked here may.

        Raises:
            FabricUnavailable: the peer was not reached, or did not answer in time.
            FabricPeerNotTrusted: it shows another certificate than it should.
            FabricAnswerInvalid: its answer is too large, or none.
            FabricError: it refuses, as `caimi.ledgers.fabric.rpc.refusals` tells them apart.
        """
        call = self._channel.unary_unary(
            method,
            request_serializer=lambda message: message.SerializeToString(),
        )
        deadline = self.patience.answer if seconds is None else seconds
        encoded = await self.retried(lambda: call(request, timeout=deadline))
        return read_message(answer, encoded, FabricAnswerInvalid)

    async def retried(self, call: Callable[[], Awaitable[Answer]]) -> Answer:
        """Make a call, again and again while the peer cannot be reached, up to the patience."""
        ends = time.monotonic() + self.patience.reach
        pause = _FIRST_PAUSE
        while True:
            try:
                return await call()
            except grpc.aio.AioRpcError as error:
                refused = RefusedCall.of(self.endpoint.address, error)
                if not is_gone(refused) or time.monotonic() + pause > ends:
                    raise named_error(refused) from error
            except grpc.aio.UsageError as error:
                raise FabricUnavailable(f"{self.endpoint.address}: {error}.") from error
            await asyncio.sleep(pause)
            pause = min(_LONGEST_PAUSE, 2 * pause)

    def stream(self, method: str, seconds: float | None = None) -> Any:  # noqa: ANN401 - a grpc call
        """Begin a call with many questions and answers, these as bytes, for so long at most."""
        return self._channel.stream_stream(
            method,
            request_serializer=lambda message: message.SerializeToString(),
        )(timeout=seconds)


def broken(address: str, error: grpc.aio.AioRpcError) -> Exception:
    """Give the error of ours for a stream that ended with one."""
    refused = RefusedCall.of(address, error)
    return unreachable(refused) if is_gone(refused) else named_error(refused)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_ROOTS_BYTES + 1)
    except OSError as error:
        raise FabricIdentityInvalid(f"{path} cannot be read: {error.strerror}.") from error
    if len(content) > _MAX_ROOTS_BYTES:
        raise FabricIdentityInvalid(f"{path} is longer than {_MAX_ROOTS_BYTES} bytes.")
    return content
