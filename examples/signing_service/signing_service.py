"""A signing service for CAIMI: it keeps one key, and signs digests for named certificates alone.

`docs/signing.md` tells its protocol, and what stands in the place of `sign` with a KMS or an HSM.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import re
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from caimi.credentials import given_passphrase
from caimi.keystore import LocalSigner

MAX_BODY_BYTES: Final = 200
MAX_CONNECTIONS: Final = 64
SECONDS: Final = 10.0
"""For a handshake, and for each part of a request."""
REFUSED_SECONDS: Final = 2.0
_DIGEST: Final = re.compile(r"0x[0-9a-f]{64}")

Sign = Callable[[bytes], bytes]
"""Signs 32 bytes as they are, with ECDSA on secp256k1; gives DER, r || s, or r || s || v."""


def software_key(keystore: Path, passphrase: bytes) -> Sign:
    """Sign with a key in this process, and answer as AWS KMS does: in DER."""
    key = LocalSigner.load(keystore, passphrase).private_key

    def sign(digest: bytes) -> bytes:
        return key.sign(digest, hasher=None)

    return sign


def context_of(certificate: Path, key: Path, trust: Path) -> ssl.SSLContext:
    """Speak TLS 1.3 alone, and only with those whom `trust` certified."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(trust)
    context.load_cert_chain(certificate, key)
    return context


class SigningServer(ThreadingHTTPServer):
    """Serves `sign` to `clients`, SHA-256 fingerprints of certificates; to all trusted if empty."""

    daemon_threads = True
    request_queue_size = MAX_CONNECTIONS

    def __init__(
        self, address: tuple[str, int], tls: ssl.SSLContext, sign: Sign, clients: frozenset[str]
    ) -> None:
        super().__init__(address, SigningHandler)
        self.tls = tls
        self.sign = sign
        self.clients = clients
        self._room = threading.BoundedSemaphore(MAX_CONNECTIONS)

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Shake hands in the connection's own thread, so that a slow one holds up nobody else."""
        if not self._room.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            self._secure(request, client_address)
        finally:
            self._room.release()

    def _secure(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        secured = None
        try:
            request.settimeout(SECONDS)
            secured = self.tls.wrap_socket(request, server_side=True, do_handshake_on_connect=False)
            secured.do_handshake()
        except OSError as error:  # ssl.SSLError is one; a client may be gone before it begins
            _say(f"{client_address[0]} came to no TLS connection: {error}")
            if secured is None:
                self.shutdown_request(request)
            else:
                _leave_to_read(secured)
        else:
            super().process_request_thread(secured, client_address)


class SigningHandler(BaseHTTPRequestHandler):
    """One connection."""

    server: SigningServer
    timeout = SECONDS

    def do_POST(self) -> None:
        """Sign a digest for whom it is signed for."""
        shown = self.connection.getpeercert(binary_form=True)
        who = hashlib.sha256(shown or b"").hexdigest()
        if self.server.clients and who not in self.server.clients:
            _say(f"refused {who}")
            self._answer(403, {"error": "not for this certificate"})
            return
        digest = self._digest()
        if digest is None:
            self._answer(400, {"error": 'expected {"digest": "0x…"} of 32 bytes'})
            return
        _say(f"signed 0x{digest.hex()} for {who}")
        self._answer(200, {"signature": f"0x{self.server.sign(digest).hex()}"})

    def _digest(self) -> bytes | None:
        length = self.headers.get("Content-Length", "")
        if not (length.isdecimal() and len(length) < 4 and int(length) <= MAX_BODY_BYTES):
            return None
        try:
            match json.loads(self.rfile.read(int(length))):
                case {"digest": str(text), **rest} if not rest and _DIGEST.fullmatch(text):
                    return bytes.fromhex(text[2:])
        except (ValueError, RecursionError):
            pass
        return None

    def _answer(self, status: int, document: dict[str, str]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its base's name
        """Log nothing of one's own: each signature has its line."""


def _leave_to_read(secured: ssl.SSLSocket) -> None:
    """Close, once the client had time to read why: what it sent and nobody read would lose that."""
    with contextlib.suppress(OSError), socket.socket(fileno=secured.detach()) as raw:
        raw.settimeout(REFUSED_SECONDS)
        raw.shutdown(socket.SHUT_WR)
        until = time.monotonic() + REFUSED_SECONDS
        while time.monotonic() < until and raw.recv(4096):
            pass


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def main() -> None:
    """Serve until the process is stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, what in (
        ("keystore", "V3 keystore of the key; CAIMI_PASSPHRASE opens it"),
        ("certificate", "PEM file of what is shown"),
        ("key", "PEM file of its key, mode 0600"),
        ("trust", "PEM file of those who may ask, or of who certified them"),
    ):
        parser.add_argument(f"--{name}", type=Path, required=True, help=what)
    parser.add_argument("--client", action="append", default=[], help="fingerprint that may ask")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8443)
    told = parser.parse_args()
    sign = software_key(told.keystore, given_passphrase() or b"")
    tls = context_of(told.certificate, told.key, told.trust)
    server = SigningServer((told.host, told.port), tls, sign, frozenset(told.client))
    _say(f"signing on {told.host}, port {server.server_address[1]}")
    server.serve_forever()


if __name__ == "__main__":
    main()
