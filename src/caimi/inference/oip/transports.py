"""Ways to a remote server of the protocol: over HTTP, over gRPC. Answers are bounded, and timed."""

from __future__ import annotations

import asyncio
import threading
from typing import Final, Protocol
from urllib.parse import quote, urlsplit

import httpx

from caimi.errors.inference import (
    RemoteAnswerInvalid,
    RemoteRefused,
    RemoteUnreachable,
    UnreadableTensors,
)
from caimi.errors.operations import UsageError
from caimi.extras import extra_named
from caimi.inference.oip import json_metadata, rest
from caimi.inference.oip.json_fields import LENGTH_HEADER
from caimi.inference.oip.messages import InferAnswer, InferRequest, ModelInfo
from caimi.json_text import read_json

MAX_ANSWER_BYTES: Final = 256 << 20
SECONDS: Final = 120.0
_MAX_REFUSAL: Final = 300


class Transport(Protocol):
    """A way to one server; may be used by several threads at once.

    Every method raises `RemoteUnreachable` when no whole answer comes in time, `RemoteRefused` when
    the server refuses, and `RemoteAnswerInvalid` when what it says is not the protocol.
    """

    def model(self, name: str, version: str) -> ModelInfo:
        """Ask for a model's metadata."""

    def infer(self, request: InferRequest) -> InferAnswer:
        """Have a model run."""

    def close(self) -> None:
        """Close the connections."""


def open_transport(
    url: str, *, seconds: float = SECONDS, max_answer_bytes: int = MAX_ANSWER_BYTES
) -> Transport:
    """Give the way to ``http://``, ``https://``, ``grpc://`` or ``grpcs://`` host:port.

    Raises:
        UsageError: the URL is none of these.
        ExtraMissing: gRPC needs the extra ``service``.
    """
    parts = urlsplit(url)
    if parts.scheme in ("http", "https") and parts.hostname:
        return HttpTransport(url.rstrip("/"), seconds, max_answer_bytes)
    if parts.scheme in ("grpc", "grpcs") and parts.hostname and not parts.path.strip("/"):
        with extra_named():
            from caimi.inference.oip.grpc_transport import GrpcTransport  # noqa: PLC0415 - an extra

        return GrpcTransport(parts.netloc, parts.scheme == "grpcs", seconds, max_answer_bytes)
    raise UsageError(
        f"{url[:200]!r} is no server: write http://, https://, grpc:// or grpcs:// host:port."
    )


class HttpTransport:
    """The protocol over HTTP, tensors as bytes (see `Transport`).

    Requests run on an event loop of its own, in a thread: only there a whole answer can be timed,
    headers that dribble included.
    """

    def __init__(self, url: str, seconds: float, max_answer_bytes: int) -> None:
        self._url = url
        self._seconds = seconds
        self._most = max_answer_bytes
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._http = httpx.AsyncClient(
            timeout=seconds,
            trust_env=False,
            follow_redirects=False,
            headers={"accept-encoding": "identity"},
        )

    def model(self, name: str, version: str) -> ModelInfo:
        """Ask for a model's metadata; see `Transport.model`."""
        body, _ = self._ask("GET", _path(name, version), None, {})
        try:
            return json_metadata.decode_model_info(body)
        except UnreadableTensors as error:
            raise RemoteAnswerInvalid(f"{self._url}: {error.what}") from error

    def infer(self, request: InferRequest) -> InferAnswer:
        """Have a model run; see `Transport.infer`."""
        body, length = rest.encode_request(request)
        headers = {LENGTH_HEADER: str(length), "content-type": "application/octet-stream"}
        path = f"{_path(request.model, request.version)}/infer"
        answer, said = self._ask("POST", path, body, headers)
        try:
            return rest.decode_answer(answer, said)
        except UnreadableTensors as error:
            raise RemoteAnswerInvalid(f"{self._url}: {error.what}") from error

    def close(self) -> None:
        """Close the connections."""
        if not self._loop.is_closed():
            asyncio.run_coroutine_threadsafe(self._http.aclose(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def _ask(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[bytes, str | None]:
        """Give an answer's body and the length of its JSON."""
        asking = self._exchange(method, path, body, headers)
        return asyncio.run_coroutine_threadsafe(asking, self._loop).result()

    async def _exchange(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[bytes, str | None]:
        try:
            async with (
                asyncio.timeout(self._seconds),
                self._http.stream(
                    method, f"{self._url}{path}", content=body, headers=headers
                ) as response,
            ):
                if response.headers.get("content-encoding", "identity") != "identity":
                    raise RemoteAnswerInvalid(f"{self._url} compressed its answer unasked.")
                answer = bytearray()
                async for part in response.aiter_raw():
                    answer += part
                    if len(answer) > self._most:
                        raise RemoteAnswerInvalid(
                            f"{self._url} answered more than {self._most} bytes."
                        )
        except TimeoutError as error:
            raise RemoteUnreachable(
                f"{self._url} did not answer within {self._seconds:g} seconds."
            ) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise RemoteUnreachable(
                f"{self._url} does not answer: {type(error).__name__} {str(error)[:200]}."
            ) from error
        if response.status_code != httpx.codes.OK:
            raise RemoteRefused(
                f"{self._url} answered {response.status_code}: {_refusal(bytes(answer))}"
            )
        return bytes(answer), response.headers.get(LENGTH_HEADER)


def _path(name: str, version: str) -> str:
    versions = f"/versions/{quote(version, safe='+')}" if version else ""
    return f"/v2/models/{quote(name, safe='')}{versions}"


def _refusal(body: bytes) -> str:
    """Give the text of the protocol's error object, or the body's beginning."""
    try:
        said = read_json(body[: 1 << 16])
    except (ValueError, RecursionError):
        said = None
    text = said.get("error") if isinstance(said, dict) else body.decode("utf-8", "replace")
    return str(text)[:_MAX_REFUSAL]
