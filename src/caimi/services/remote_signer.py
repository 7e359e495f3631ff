"""An account's key in another machine: a signing service over HTTP, as before a KMS or an HSM.

The service is posted ``{"digest": "0x…"}`` (32 bytes, to be signed as they are) and answers
``{"signature": "0x…"}``: DER, r || s, or r || s || v. That is what AWS KMS (``ECDSA_SHA_256``,
``MessageType=DIGEST``), Google Cloud KMS and PKCS #11 give on secp256k1; none of them gives v, and
half of their s are high. Its answer is believed only when the known account signed the digest.
"""

from __future__ import annotations

import asyncio
import ssl
from concurrent.futures import ThreadPoolExecutor
from typing import Final
from urllib.parse import urlsplit

import httpx

from caimi.errors.operations import RemoteSignatureInvalid, RemoteSignerFailed
from caimi.errors.signing import (
    RemoteSignerExpired,
    RemoteSignerNotTrusted,
    RemoteSignerRefusesCertificate,
    RemoteSignerUnreachable,
)
from caimi.json_text import read_json
from caimi.signatures import MalformedSignature, completed
from caimi.tls.certificates import Refusal, refusal_in
from caimi.tls.contexts import ClientTls

MAX_ANSWER_BYTES: Final = 4096
TIMEOUT_SECONDS: Final = 10.0
"""For the whole of a signature, however slowly what comes of it comes."""
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class RemoteSigner:
    """Signs as `account` through the service at `url`, authorised by `token` or by a certificate.

    `tls` says whom the service may be, and shows who asks. It is a port `AttestationKey`. It
    blocks while the service answers: call it in a thread. Its text never shows the token. Each
    signature has a connection of its own, made under today's certificates.

    Construction raises `RemoteSignerFailed` when the URL is neither https nor on this machine, or
    the token is not of visible ASCII characters, which alone a header takes.
    """

    __slots__ = ("_account", "_headers", "_tls", "_transport", "_url")

    def __init__(
        self,
        url: str,
        account: bytes,
        token: str = "",
        *,
        tls: ClientTls | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        place = urlsplit(url)
        if place.scheme != "https" and place.hostname not in _LOOPBACK:
            raise RemoteSignerFailed(
                f"{place.scheme}://{place.netloc} is neither https nor on this machine.",
                why="Whoever is on the way could have anything signed with the token.",
                next_step="Give an https URL.",
            )
        if not (token.isascii() and token.isprintable()):
            raise RemoteSignerFailed(
                f"The token for {place.netloc} has characters that are not visible ASCII.",
                why="It is sent in a header, which takes no others.",
                next_step="Write the token into its file as one line, as the service gave it.",
            )
        self._url = url
        self._account = account
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._tls = tls
        self._transport = transport

    @property
    def account(self) -> bytes:
        """The account's 20 bytes."""
        return self._account

    def sign_digest(self, digest: bytes) -> bytes:
        """Have a 32-byte digest signed: r || s || v, 65 bytes, low s, v 27 or 28.

        Raises:
            RemoteSignerUnreachable: no answer comes within `TIMEOUT_SECONDS`.
            RemoteSignerNotTrusted, RemoteSignerExpired: its certificate is not believed.
            RemoteSignerRefusesCertificate: it does not believe this program's, or wants one.
            RemoteSignerFailed: it refuses.
            RemoteSignatureInvalid: its answer is no signature of the digest by the account.
        """
        if len(digest) != 32:
            raise ValueError("a digest has 32 bytes")
        # A loop of its own, since the caller's may run in this thread; it keeps the whole deadline.
        with ThreadPoolExecutor(1) as apart:
            answer = apart.submit(lambda: asyncio.run(self._ask(digest))).result()
        try:
            return completed(digest, answer, self._account)
        except MalformedSignature as error:
            raise RemoteSignatureInvalid(f"{self._name}: {error}") from error

    def __repr__(self) -> str:
        """Show the account and the service's host alone."""
        return f"RemoteSigner(0x{self._account.hex()} at {self._name})"

    @property
    def _name(self) -> str:
        return urlsplit(self._url).netloc

    async def _ask(self, digest: bytes) -> bytes:
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                status, answer = await self._exchange(f'{{"digest":"0x{digest.hex()}"}}')
        except TimeoutError as error:
            raise RemoteSignerUnreachable(
                f"{self._name} gave no signature within {TIMEOUT_SECONDS:g} seconds."
            ) from error
        except (httpx.HTTPError, ssl.SSLError) as error:  # an alert comes as what it is
            raise self._failure(error) from error
        if status != httpx.codes.OK:
            raise RemoteSignerFailed(f"{self._name} answered {status}.")
        return read_answer(answer, self._name)

    async def _exchange(self, body: str) -> tuple[int, bytes]:
        headers = {**self._headers, "Content-Type": "application/json"}
        async with (
            httpx.AsyncClient(
                headers=headers,
                timeout=TIMEOUT_SECONDS,
                transport=self._transport or self._network(),
                trust_env=False,
                follow_redirects=False,
            ) as http,
            http.stream("POST", self._url, content=body) as response,
        ):
            answer = bytearray()
            async for part in response.aiter_bytes():
                answer += part
                if len(answer) > MAX_ANSWER_BYTES:
                    raise RemoteSignatureInvalid(f"{self._name} answered more than it may.")
            return response.status_code, bytes(answer)

    def _network(self) -> httpx.AsyncBaseTransport:
        if not self._url.startswith("https:"):
            return httpx.AsyncHTTPTransport(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        return httpx.AsyncHTTPTransport(verify=(self._tls or ClientTls()).context)

    def _failure(self, error: Exception) -> RemoteSignerFailed:
        match refusal_in(error):
            case Refusal(of_us=True, why=why):
                return RemoteSignerRefusesCertificate(
                    f"{self._name} refused this end's TLS: {why}."
                )
            case Refusal(why=why) if "expired" in why:
                return RemoteSignerExpired(f"The certificate of {self._name}: {why}.")
            case Refusal(why=why):
                return RemoteSignerNotTrusted(f"The certificate of {self._name}: {why}.")
        return RemoteSignerUnreachable(f"{self._name} does not answer: {type(error).__name__}.")


def read_answer(answer: bytes, name: str) -> bytes:
    """Read what the service of that name answered: a signature in one of its forms.

    Raises:
        RemoteSignatureInvalid: it is anything else.
    """
    try:
        match read_json(answer):
            case {"signature": str(text), **rest} if not rest and text.startswith("0x"):
                return bytes.fromhex(text[2:])
    except (ValueError, RecursionError) as error:
        raise RemoteSignatureInvalid(f"{name} did not answer in JSON and hex.") from error
    raise RemoteSignatureInvalid(f"{name} did not answer with a signature.")
