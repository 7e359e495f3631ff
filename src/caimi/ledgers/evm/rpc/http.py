"""JSON-RPC over HTTP that keeps its connections and bounds what it reads.

A node is a peer, and a peer's answers are bounded. httpx, which the roles' own clients use, takes
ten times as long for a request as aiohttp: half of what a relayer computed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import count
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx

from caimi.errors.ledgers import LedgerAnswerInvalid
from caimi.json_text import read_json
from caimi.ledgers.evm.rpc.provider import Json, RpcAnswer

MAX_ANSWER_BYTES = 64 << 20
"""An answer may be this large: a page of logs is far smaller."""

_CONNECTIONS = 16
_OK = 200
_RETRIABLE_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})


class HttpRefused(Exception):
    """The server answered with an HTTP status that repeating the request will not change."""


class HttpInterrupted(Exception):
    """The request may succeed when repeated: no connection, no answer in time, or overload."""


def place_of(url: str) -> str:
    """Give a URL's scheme and host: its path often holds a key, and errors are told to anyone."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


class HttpProvider:
    """JSON-RPC over HTTP POST (port `RpcProvider`).

    `timeout` in seconds bounds how long a node may be silent, and four times that a whole answer;
    `most` is how many bytes that may have, `MAX_ANSWER_BYTES` unless told.
    """

    def __init__(self, url: str, *, timeout: float = 20.0, most: int | None = None) -> None:
        self.url = url
        self._most = MAX_ANSWER_BYTES if most is None else most
        self._ids = count()
        self._name = place_of(url)
        self._timeout = aiohttp.ClientTimeout(
            total=4 * timeout, sock_connect=min(timeout, 5.0), sock_read=timeout
        )
        self._proxy = _proxy_of(url)
        self._session: aiohttp.ClientSession | None = None

    async def make_request(self, method: str, params: Json) -> RpcAnswer:
        """Send one request and give the answer."""
        answer = await self._post(json.dumps(self._form(method, params)).encode())
        if not isinstance(answer, dict):
            raise LedgerAnswerInvalid(f"The node at {self._name} answered {method} with no object.")
        return answer

    async def make_batch_request(
        self, requests: list[tuple[str, Json]]
    ) -> list[RpcAnswer] | RpcAnswer:
        """Send requests as one JSON-RPC batch and give the answers in the order of the requests."""
        forms = [self._form(method, params) for method, params in requests]
        answer = await self._post(json.dumps(forms).encode())
        if isinstance(answer, dict):
            return answer
        return in_order(answer, [form["id"] for form in forms], self._name)

    async def disconnect(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _form(self, method: str, params: Json) -> dict[str, Json]:
        return {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}

    def _connected(self) -> aiohttp.ClientSession:
        # A session belongs to the event loop that it was made in.
        if self._session is None:
            secure = urlsplit(self.url).scheme == "https"
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=_CONNECTIONS, ssl=httpx.create_ssl_context() if secure else True
                ),
                timeout=self._timeout,
                headers={"Content-Type": "application/json", "Accept-Encoding": "identity"},
                auto_decompress=False,
            )
        return self._session

    async def _post(self, body: bytes) -> Json:
        read = bytearray()
        try:
            async with self._connected().post(
                self.url, data=body, allow_redirects=False, proxy=self._proxy
            ) as response:
                async for piece in response.content.iter_any():
                    read += piece
                    if len(read) > self._most:
                        raise LedgerAnswerInvalid(
                            f"The node at {self._name} sent more than {self._most} bytes."
                        )
        except (aiohttp.ClientError, TimeoutError) as error:
            raise HttpInterrupted(f"{type(error).__name__}: {error}") from error
        if response.status in _RETRIABLE_STATUS:
            raise HttpInterrupted(f"HTTP status {response.status}")
        try:
            return read_json(read)
        except (ValueError, RecursionError) as error:
            if response.status != _OK:
                raise HttpRefused(f"HTTP status {response.status}") from error
            raise LedgerAnswerInvalid(
                f"The node at {self._name} did not answer in JSON."
            ) from error


def in_order(answer: Json, ids: Sequence[object], name: str) -> list[RpcAnswer]:
    """Give the answers of a JSON-RPC batch in the order of the requests' `ids`.

    Raises:
        LedgerAnswerInvalid: it is no list, or lacks one.
    """
    if not isinstance(answer, list):
        raise LedgerAnswerInvalid(f"The node at {name} answered a batch with no list.")
    by_id: dict[object, RpcAnswer] = {
        item["id"]: item
        for item in answer
        # A list cannot be looked up, and JSON's true would pass for 1.
        if isinstance(item, dict) and type(item.get("id")) is int
    }
    try:
        return [by_id[each] for each in ids]
    except KeyError:
        raise LedgerAnswerInvalid(
            f"The node at {name} answered {len(by_id)} of {len(ids)} batched requests."
        ) from None


def _proxy_of(url: str) -> str | None:
    """Give the proxy that the environment names for a URL (``HTTPS_PROXY``, ``NO_PROXY``...)."""
    parts = urlsplit(url)
    if proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    proxies = getproxies()
    return proxies.get(parts.scheme) or proxies.get("all")
