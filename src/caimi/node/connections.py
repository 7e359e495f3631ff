"""Connections to our HTTP services: bounded in number, and cut when nothing whole comes of them.

With TLS a connection is counted from its first byte, before any handshake. Who is waited for
without a whole request is dropped first when there are too many: of the peer with the most
connections the one that has waited longest. So who only opens connections, or sends halves of
requests or of handshakes, keeps nobody else out, not even from the same address.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections import Counter
from typing import Any, Final, Protocol, cast

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from caimi.errors.node import AddressUnusable
from caimi.node.tls_transport import TlsTransport
from caimi.tls.certificates import PeerCertificate, peer_of_der
from caimi.tls.contexts import ServerTls

MAX_CONNECTIONS: Final = 512
MAX_PER_PEER: Final = 384
HEAD_SECONDS: Final = 10.0
"""From the beginning of a connection, or the last answer on it, to the end of a request's head."""
WRITE_SECONDS: Final = 30.0
"""How long a client may take nothing of an answer that does not fit into buffers."""
_REFUSED_SECONDS: Final = 2.0
_REFUSED_BYTES: Final = 1 << 20
"""What is still read, and thrown away, of a request that was answered before its end."""
_HEAD_BYTES: Final = 16 << 10
IDLE_SECONDS: Final = 5
"""How long a connection without a request is kept; whoever asks gives it up before."""
DRAIN_SECONDS: Final = 20
"""How long requests in flight have to be answered once the process is told to stop."""


class CountedConnection(Protocol):
    """What `Peers` need to know of a connection."""

    @property
    def client(self) -> tuple[str, int] | None: ...
    @property
    def is_waited_for(self) -> bool: ...
    def drop(self) -> None: ...


class BoundedConnection(H11Protocol):
    """One connection; `peers` is all that the service has."""

    def __init__(self, *args: Any, peers: Peers, **options: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(*args, **options)
        self._peers = peers
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.TimerHandle | None = None
        self._thrown_away = 0

    @property
    def is_waited_for(self) -> bool:
        """Whether no request is whole: then nothing is lost with the connection."""
        return self._is_between or bool(self.cycle.more_body)

    @property
    def _is_between(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request, if there is room."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, "certificate": _certificate(transport)}
        self._wait(HEAD_SECONDS)
        if not self._peers.admit(self):
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Make room."""
        self._peers.forget(self)
        for timer in (self._timer, self._writing):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; of a request that was answered already only so much."""
        if self._is_refused:
            self._thrown_away += len(data)
            if self._thrown_away > _REFUSED_BYTES:
                self.transport.pause_reading()
                return
        was_refused = self._is_refused
        super().data_received(data)
        if not self._is_between:
            self._stop_waiting()
        elif was_refused and not self._is_refused:
            self._stop_waiting()
            self._wait(HEAD_SECONDS)

    def on_response_complete(self) -> None:
        """Wait for the next request, or for the end of this one."""
        self._stop_waiting()
        self._wait(_REFUSED_SECONDS if self._is_refused else HEAD_SECONDS)
        self._thrown_away = 0
        super().on_response_complete()
        if not self._is_between:
            self._stop_waiting()

    def pause_writing(self) -> None:
        """Wait so long for the client to take something."""
        super().pause_writing()
        self._writing = self.loop.call_later(WRITE_SECONDS, self.drop)

    def resume_writing(self) -> None:
        """Go on."""
        super().resume_writing()
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None

    def drop(self) -> None:
        """End the connection at once."""
        self.transport.abort()

    @property
    def _is_refused(self) -> bool:
        return (
            self.cycle is not None
            and self.cycle.response_complete
            and self.conn.their_state is h11.SEND_BODY
        )

    def _wait(self, seconds: float) -> None:
        self._timer = self.loop.call_later(seconds, self.drop)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Peers:
    """The connections of one service, in the order in which they came."""

    def __init__(self, most: int = MAX_CONNECTIONS, most_of_one: int = MAX_PER_PEER) -> None:
        self._most = most
        self._most_of_one = most_of_one
        self._connections: dict[CountedConnection, str] = {}
        self._counts: Counter[str] = Counter()

    def admit(self, connection: CountedConnection) -> bool:
        """Take a connection in, dropping another if there are too many; False: there is no room."""
        peer = peer_of(connection.client)
        if self._counts[peer] >= self._most_of_one:
            if not self._drop_one(peer):
                return False
        elif len(self._connections) >= self._most:
            largest = max(self._counts, key=self._counts.__getitem__)
            if not (self._drop_one(largest) or self._drop_one(None)):
                return False
        self._connections[connection] = peer
        self._counts[peer] += 1
        return True

    def forget(self, connection: CountedConnection) -> None:
        """Count a connection no more."""
        peer = self._connections.pop(connection, None)
        if peer is not None:
            self._counts[peer] -= 1
            if not self._counts[peer]:
                del self._counts[peer]

    def _drop_one(self, peer: str | None) -> bool:
        for connection, its in self._connections.items():
            if peer in (None, its) and connection.is_waited_for:
                self.forget(connection)
                connection.drop()
                return True
        return False


def peer_of(client: tuple[str, int] | None) -> str:
    """Name who is at the other end: an IPv4 address, or the 64 bits of an IPv6 network."""
    if client is None:
        return ""
    try:
        address = ipaddress.ip_address(client[0].partition("%")[0])
    except ValueError:
        return client[0]
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def _certificate(transport: asyncio.Transport) -> PeerCertificate | None:
    """Name who showed a certificate, which TLS has checked."""
    shown = transport.get_extra_info("ssl_object")
    certificate = shown.getpeercert(binary_form=True) if shown is not None else None
    return peer_of_der(certificate) if certificate else None


class _Server(uvicorn.Server):
    """A server that leaves signals to the process: see `caimi.node.roles.processes`."""

    def capture_signals(self) -> Any:  # noqa: ANN401 - uvicorn's own
        """Capture none."""
        return contextlib.nullcontext()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen; raises `AddressUnusable`, and ends no process."""
        try:
            await super().startup(sockets)
        except SystemExit:
            raise AddressUnusable(
                f"Nothing can listen on {self.config.host}, port {self.config.port}."
            ) from None


def make_server(
    app: ASGIApp, host: str, port: int, peers: Peers | None = None, *, tls: ServerTls | None = None
) -> uvicorn.Server:
    """Make the server of one of our applications, with TLS 1.3 where `tls` is given.

    Told to stop, it takes no more connections, and requests in flight have `DRAIN_SECONDS`.
    """
    peers = peers or Peers()

    def connection(*args: Any, **options: Any) -> asyncio.Protocol:  # noqa: ANN401 - uvicorn's own
        def made() -> BoundedConnection:
            return BoundedConnection(*args, peers=peers, **options)

        if tls is None:
            return made()
        others = options["server_state"].connections
        return TlsTransport(tls, peers, others, made, HEAD_SECONDS)

    return _Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            # A function that makes one will do.
            http=cast("type[asyncio.Protocol]", connection),
            # An upgraded connection would be another protocol's, without these bounds.
            ws="none",
            log_config=None,  # its lines are ours, in our format
            log_level="warning",
            server_header=False,
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=DRAIN_SECONDS,
            h11_max_incomplete_event_size=_HEAD_BYTES,
        )
    )
