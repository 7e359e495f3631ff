"""A web3 provider over HTTP that keeps its connections and bounds what it reads.

web3's own HTTP provider opens a connection a request and reads answers of any size; a node is a
peer, and a peer's answers are bounded.
"""

from __future__ import annotations

import json
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import httpx
from web3.providers.async_base import AsyncJSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from caimi.errors.ledgers import LedgerAnswerInvalid
from caimi.json_text import read_json

Json: TypeAlias = Any
"""What JSON can say."""

MAX_ANSWER_BYTES = 64 << 20
"""An answer may be this large: a page of logs is far smaller."""

_RETRIABLE_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})


class HttpRefused(Exception):
    """The server answered with an HTTP status that repeating the request will not change."""


class HttpInterrupted(Exception):
    """The request may succeed when repeated: no connection, no answer in time, or overload."""


def place_of(url: str) -> str:
    """Give a URL's scheme and host: its path often holds a key, and errors are told to anyone."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


class HttpProvider(AsyncJSONBaseProvider):
    """JSON-RPC over HTTP POST, for `Rpc`; `timeout` in seconds bounds each request."""

    def __init__(self, url: str, *, timeout: float = 20.0) -> None:
        super().__init__()
        self.url = url
        self._name = place_of(url)
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(timeout, connect=min(timeout, 5.0)),
            limits=httpx.Limits(max_connections=16, max_keepalive_connections=16),
            headers={"Content-Type": "application/json", "Accept-Encoding": "identity"},
            follow_redirects=False,
        )

    async def make_request(self, method: RPCEndpoint, params: Json) -> RPCResponse:
        """Send one request and give the answer."""
        answer = await self._post(json.dumps(self.form_request(method, params)).encode())
        if not isinstance(answer, dict):
            raise LedgerAnswerInvalid(f"The node at {self._name} answered {method} with no object.")
        return answer  # type: ignore[return-value]

    async def make_batch_request(
        self, requests: list[tuple[RPCEndpoint, Json]]
    ) -> list[RPCResponse] | RPCResponse:
        """Send requests as one JSON-RPC batch and give the answers in the order of the requests."""
        forms = [self.form_request(method, params) for method, params in requests]
        answer = await self._post(json.dumps(forms).encode())
        if isinstance(answer, dict):
            return answer  # type: ignore[return-value]
        if not isinstance(answer, list):
            raise LedgerAnswerInvalid(f"The node at {self._name} answered a batch with no list.")
        by_id: dict[object, RPCResponse] = {
            item.get("id"): item  # type: ignore[misc]
            for item in answer
            if isinstance(item, dict)
        }
        try:
            return [by_id[form["id"]] for form in forms]
        except KeyError:
            raise LedgerAnswerInvalid(
                f"The node at {self._name} answered {len(by_id)} of {len(forms)} batched requests."
            ) from None

    async def disconnect(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _post(self, body: bytes) -> Json:
        read = bytearray()
        try:
            async with self._client.stream("POST", self.url, content=body) as response:
                async for piece in response.aiter_bytes():
                    read += piece
                    if len(read) > MAX_ANSWER_BYTES:
                        raise LedgerAnswerInvalid(
                            f"The node at {self._name} sent more than {MAX_ANSWER_BYTES} bytes."
                        )
        except (httpx.TransportError, httpx.StreamError) as error:
            raise HttpInterrupted(f"{type(error).__name__}: {error}") from error
        if response.status_code in _RETRIABLE_STATUS:
            raise HttpInterrupted(f"HTTP status {response.status_code}")
        try:
            return read_json(read)
        except (ValueError, RecursionError) as error:
            if response.status_code != httpx.codes.OK:
                raise HttpRefused(f"HTTP status {response.status_code}") from error
            raise LedgerAnswerInvalid(
                f"The node at {self._name} did not answer in JSON."
            ) from error
