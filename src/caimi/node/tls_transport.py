"""TLS on the server's side of a connection, over `ssl.MemoryBIO`.

asyncio's own drops the alert that says why a handshake failed, so that a client whose certificate
was refused would see a connection that ends without a reason; and it tells a protocol nothing of a
connection before its handshake is whole, so that nobody would count it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from typing import Any, Final, Protocol

from caimi.logs import logger
from caimi.tls.certificates import refusal_in
from caimi.tls.contexts import ServerTls

ALERT_SECONDS: Final = 2.0
"""How long a client may take to read why it was refused."""
_READ_BYTES: Final = 64 << 10
_THROWN_AWAY_BYTES: Final = 1 << 20

_log = logger(__name__)


class Counted(Protocol):
    """What counts connections: see `caimi.node.connections.Peers`."""

    def admit(self, connection: Any) -> bool: ...  # noqa: ANN401 - of either kind
    def forget(self, connection: Any) -> None: ...  # noqa: ANN401 - of either kind


class TlsTransport(asyncio.Transport, asyncio.Protocol):
    """A connection: the network's protocol, and the transport of what `make` gives once TLS stands.

    Until then it is counted by `peers` and has `seconds`; `others` are the server's connections.
    It ends once the certificate that its client showed is not trusted any more.
    """

    def __init__(
        self,
        tls: ServerTls,
        peers: Counted,
        others: set[Any],
        make: Callable[[], asyncio.Protocol],
        seconds: float,
    ) -> None:
        super().__init__()
        self._trust = tls
        self._context = tls.context
        self._peers = peers
        self._others = others
        self._make = make
        self._seconds = seconds
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = self._context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._raw: asyncio.Transport
        self._loop: asyncio.AbstractEventLoop
        self._inner: asyncio.Protocol | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._refused = False
        self._paused = False
        self._thrown_away = 0
        self.client: tuple[str, int] | None = None

    @property
    def is_waited_for(self) -> bool:
        """Nothing is lost with a handshake."""
        return True

    def drop(self) -> None:
        """End the connection at once."""
        self._raw.abort()

    def look_again(self) -> None:
        """End where the client is believed no more, whatever it waits for."""
        with contextlib.suppress(RuntimeError):  # the loop has ended, and the connection with it
            self._loop.call_soon_threadsafe(self._end_unbelieved)

    def _end_unbelieved(self) -> None:
        if not self._is_believed and not self._raw.is_closing():
            where = self.client[0] if self.client else "a client"
            _log.info("Ending a connection of %s, whose certificate is not trusted now.", where)
            self.drop()

    @property
    def _is_believed(self) -> bool:
        shown = self._tls.getpeercert(binary_form=True)
        return not shown or self._trust.believes(shown)

    def shutdown(self) -> None:
        """End a handshake: what a server calls when it stops."""
        self.drop()

    # Of the network

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for a handshake, if there is room."""
        assert isinstance(transport, asyncio.Transport)
        self._raw, self._loop = transport, asyncio.get_running_loop()
        address = transport.get_extra_info("peername")
        self.client = (str(address[0]), int(address[1])) if isinstance(address, tuple) else None
        if not self._peers.admit(self):
            transport.abort()
            return
        self._others.add(self)
        self._wait(self._seconds)

    def data_received(self, data: bytes) -> None:
        """Shake hands, or decrypt and hand on."""
        if self._refused:
            self._thrown_away += len(data)
            if self._thrown_away > _THROWN_AWAY_BYTES:
                self._raw.abort()
            return
        self._incoming.write(data)
        if self._inner is None and not self._shake():
            return
        self._read()

    def eof_received(self) -> None:
        """End: nobody speaks half a connection here."""

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell it on."""
        self._stop_waiting()
        self._leave()
        self._trust.connections.discard(self)
        if self._inner is not None:
            self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        """Tell it on."""
        if self._inner is not None:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Tell it on."""
        if self._inner is not None:
            self._inner.resume_writing()

    # Of the protocol within

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - asyncio's own
        """Give what the network knows, and what TLS does."""
        if name == "ssl_object":
            return self._tls
        if name == "sslcontext":
            return self._context
        return self._raw.get_extra_info(name, default)

    def write(self, data: Any) -> None:  # noqa: ANN401 - asyncio's own
        """Encrypt and send."""
        if len(data) and not self._raw.is_closing():
            self._tls.write(data)
            self._flush()

    def pause_reading(self) -> None:
        """Hand nothing on, and take no more from the network."""
        self._paused = True
        self._raw.pause_reading()

    def resume_reading(self) -> None:
        """Go on, with what has come already first."""
        self._paused = False
        self._raw.resume_reading()
        asyncio.get_running_loop().call_soon(self._read)

    def is_reading(self) -> bool:
        """Tell whether anything is handed on."""
        return not self._paused

    def is_closing(self) -> bool:
        """Tell whether the end has begun."""
        return self._raw.is_closing()

    def close(self) -> None:
        """Send what is written, say that this is the end, and end."""
        if self._raw.is_closing():
            return
        with contextlib.suppress(ssl.SSLError, ValueError):  # the other end need not say so too
            self._tls.unwrap()
        self._flush()
        self._raw.close()

    def abort(self) -> None:
        """End at once."""
        self._raw.abort()

    def _shake(self) -> bool:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return False
        except ssl.SSLError as error:
            self._refuse(error)
            return False
        self._flush()
        self._stop_waiting()
        self._leave()
        self._trust.connections.add(self)
        if self._context is not self._trust.context and not self._is_believed:
            self.drop()  # files were read again while it shook hands
            return False
        self._inner = self._make()
        self._inner.connection_made(self)
        return True

    def _refuse(self, error: ssl.SSLError) -> None:
        """Tell the client why, and wait a little: what it sent and nobody read would lose that."""
        found = refusal_in(error)
        where = self.client[0] if self.client else "a client"
        _log.info("%s came to no TLS connection: %s", where, found.why if found else error)
        self._refused = True
        self._flush()
        self._stop_waiting()
        if self._raw.can_write_eof():
            self._raw.write_eof()
        self._wait(ALERT_SECONDS)

    def _read(self) -> None:
        while self._inner is not None and not self._paused and not self._raw.is_closing():
            try:
                data = self._tls.read(_READ_BYTES)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLError:
                self._flush()
                self._raw.abort()
                return
            if not data:  # the other end said that it ends
                self.close()
                return
            self._inner.data_received(data)
        self._flush()

    def _flush(self) -> None:
        if self._outgoing.pending and not self._raw.is_closing():
            self._raw.write(self._outgoing.read())

    def _leave(self) -> None:
        """Be counted as a handshake no more."""
        self._peers.forget(self)
        self._others.discard(self)

    def _wait(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self.drop)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
