"""An account's key in another machine: a signing service over HTTP, as before a KMS or an HSM.

The service is posted ``{"digest": "0x…"}`` (32 bytes, to be signed as they are) and answers
``{"signature": "0x…"}``: DER, r || s, or r || s || v. That is what AWS KMS (``ECDSA_SHA_256``,
``MessageType=DIGEST``), Google Cloud KMS and PKCS #11 give on secp256k1; none of them gives v, and
half of their s are high. Its answer is believed only when the known account signed the digest.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

import httpx

from caimi.errors.operations import RemoteSignatureInvalid, RemoteSignerFailed
from caimi.json_text import read_json
from caimi.signatures import MalformedSignature, completed

MAX_ANSWER_BYTES: Final = 4096
TIMEOUT_SECONDS: Final = 10.0
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class RemoteSigner:
    """Signs as `account` through the service at `url`, authorised by `token`.

    It is a port `AttestationKey`. It blocks while the service answers: call it in a thread. Its
    text never shows the token.

    Construction raises `RemoteSignerFailed` when the URL is neither https nor on this machine.
    """

    __slots__ = ("_account", "_http", "_url")

    def __init__(
        self,
        url: str,
        account: bytes,
        token: str = "",
        *,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        place = urlsplit(url)
        if place.scheme != "https" and place.hostname not in _LOOPBACK:
            raise RemoteSignerFailed(
                f"{place.scheme}://{place.netloc} is neither https nor on this machine.",
                why="Whoever is on the way could have anything signed with the token.",
                next_step="Give an https URL.",
            )
        self._url = url
        self._account = account
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(
            headers=headers,
            timeout=TIMEOUT_SECONDS,
            transport=transport,
            trust_env=False,
            follow_redirects=False,
        )

    @property
    def account(self) -> bytes:
        """The account's 20 bytes."""
        return self._account

    def sign_digest(self, digest: bytes) -> bytes:
        """Have a 32-byte digest signed: r || s || v, 65 bytes, low s, v 27 or 28.

        Raises:
            RemoteSignerFailed: the service does not answer, or refuses.
            RemoteSignatureInvalid: its answer is no signature of the digest by the account.
        """
        if len(digest) != 32:
            raise ValueError("a digest has 32 bytes")
        try:
            return completed(digest, self._ask(digest), self._account)
        except MalformedSignature as error:
            raise RemoteSignatureInvalid(f"{self._name}: {error}") from error

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __repr__(self) -> str:
        """Show the account and the service's host alone."""
        return f"RemoteSigner(0x{self._account.hex()} at {self._name})"

    @property
    def _name(self) -> str:
        return urlsplit(self._url).netloc

    def _ask(self, digest: bytes) -> bytes:
        answer = bytearray()
        try:
            with self._http.stream(
                "POST", self._url, json={"digest": f"0x{digest.hex()}"}
            ) as response:
                for part in response.iter_bytes():
                    answer += part
                    if len(answer) > MAX_ANSWER_BYTES:
                        raise RemoteSignatureInvalid(f"{self._name} answered more than it may.")
        except httpx.HTTPError as error:
            raise RemoteSignerFailed(
                f"{self._name} does not answer: {type(error).__name__}."
            ) from error
        if response.status_code != httpx.codes.OK:
            raise RemoteSignerFailed(f"{self._name} answered {response.status_code}.")
        return read_answer(bytes(answer), self._name)


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
