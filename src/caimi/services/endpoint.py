"""One service's HTTP endpoint: bounded answers, named refusals."""

from __future__ import annotations

import ssl
from typing import Final

import httpx

from caimi.errors.base import CaimiError
from caimi.errors.certificates import OwnCertificateRefused, PeerNotTrusted
from caimi.errors.node import NodeRefused, NodeUnreachable
from caimi.json_text import read_json
from caimi.services.renewing import KEPT, RenewingTransport
from caimi.tls.certificates import Refusal, refusal_in
from caimi.tls.contexts import ClientTls

MAX_ANSWER_BYTES: Final = 8 << 20
_RENEW: Final = (
    "Tell its operator: `caimi certificates sign NAME.csr --replace` renews it, and the service "
    "takes the new one at SIGHUP."
)
TIMEOUT: Final = httpx.Timeout(10.0, connect=3.0)


class Endpoint:
    """One service's base URL; `transport` replaces the network for a service in this process.

    `tls` says whom an https URL may be, and shows who asks; without it the public authorities do.
    """

    def __init__(
        self,
        url: str,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        timeout: httpx.Timeout = TIMEOUT,
        tls: ClientTls | None = None,
    ) -> None:
        self.url = url
        self._transport = transport
        self._tls = tls
        self._timeout = timeout
        self._opened: httpx.AsyncClient | None = None

    @property
    def _http(self) -> httpx.AsyncClient:
        """The client: made when it is first used, since reading certificates takes time."""
        if self._opened is None:
            self._opened = httpx.AsyncClient(
                base_url=self.url,
                transport=self._transport or _network(self.url, self._tls),
                timeout=self._timeout,
                trust_env=False,
            )
        return self._opened

    async def get(self, path: str) -> dict[str, object]:
        """Give the JSON object at `path`; raises as `post`."""
        return self._read(await self.exchange("GET", path, None))

    async def post(self, path: str, body: str) -> dict[str, object]:
        """Post JSON text and give the JSON object that comes back.

        Raises:
            NodeUnreachable: no answer came.
            PeerNotTrusted, OwnCertificateRefused: one end does not believe the other's certificate.
            NodeRefused: the answer is an error, or not an object of bounded size.
        """
        return self._read(await self.exchange("POST", path, body))

    async def post_text(self, path: str, body: str) -> str:
        """Post JSON text and give the answer's text; raises as `post`."""
        status, answer = await self.exchange("POST", path, body)
        if status != httpx.codes.OK:
            raise self._refusal(status, answer)
        return answer

    async def exchange(self, method: str, path: str, body: str | None) -> tuple[int, str]:
        """Give the status and the text of an answer of bounded size, whatever it says."""
        headers = {"content-type": "application/json"} if body is not None else {}
        try:
            async with self._http.stream(method, path, content=body, headers=headers) as response:
                answer = bytearray()
                async for part in response.aiter_bytes():
                    answer += part
                    if len(answer) > MAX_ANSWER_BYTES:
                        raise NodeRefused(f"{self.url}{path} answered more than it may.")
                return response.status_code, answer.decode("utf-8", "replace")
        except (httpx.HTTPError, ssl.SSLError) as error:  # an alert comes as what it is
            raise self._failure(error) from error

    def _failure(self, error: Exception) -> CaimiError:
        match refusal_in(error):
            case Refusal(of_us=True, why=why):
                return OwnCertificateRefused(f"{self.url} refused this end's TLS: {why}.")
            case Refusal(why=why):
                said = f"The certificate of {self.url} is not trusted: {why}."
                return PeerNotTrusted(said, next_step=_RENEW if "expired" in why else None)
        return NodeUnreachable(f"{self.url} does not answer: {type(error).__name__} {error}.")

    def _read(self, answered: tuple[int, str]) -> dict[str, object]:
        status, answer = answered
        if status != httpx.codes.OK:
            raise self._refusal(status, answer)
        document = read_object(answer)
        if document is None:
            raise NodeRefused(f"{self.url} did not answer with a JSON object.")
        return document

    def _refusal(self, status: int, answer: str) -> NodeRefused:
        error = read_object(answer) or {}
        said = [str(error.get(key, ""))[:300] for key in ("code", "what", "why", "next")]
        return NodeRefused(
            f"{self.url} answered {status}: {said[0]} {said[1]}".rstrip(),
            why=said[2] or None,
            next_step=said[3] or None,
        )

    async def aclose(self) -> None:
        """Close the connections."""
        if self._opened is not None:
            await self._opened.aclose()


def _network(url: str, tls: ClientTls | None) -> httpx.AsyncBaseTransport:
    if not url.startswith("https:"):
        plain = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        return httpx.AsyncHTTPTransport(verify=plain, limits=KEPT)
    return RenewingTransport(tls or ClientTls())


def read_object(text: str) -> dict[str, object] | None:
    """Give a JSON object, or None where the text is none."""
    try:
        document = read_json(text)
    except (ValueError, RecursionError):  # a number of many digits is a ValueError alone
        return None
    return document if isinstance(document, dict) else None
