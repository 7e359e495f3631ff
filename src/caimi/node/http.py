"""What every HTTP service of ours shares: bounded bodies, named errors, health and metrics."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from caimi import __version__
from caimi.errors.base import CaimiError
from caimi.errors.certificates import CertificateRequired
from caimi.errors.custody import CustodianBusy, GrantRefused, InvalidRequestSignature
from caimi.errors.databases import DatabaseUnreachable
from caimi.errors.inference import ModelStillOpening
from caimi.errors.node import AskedTooMuch, BodyTooSlow, LedgerTooSlow, RequestInvalid, RoleMissing
from caimi.hex_text import read_either_case
from caimi.json_text import read_json
from caimi.line_text import one_line
from caimi.logs import about
from caimi.node.metrics import CertificateMetrics
from caimi.node.received import BoundBodies
from caimi.node.request_names import NamedRequests

MAX_BODY_BYTES = 4 << 20

_STATUS: dict[type[CaimiError], int] = {
    InvalidRequestSignature: 401,
    CertificateRequired: 403,
    GrantRefused: 403,
    CustodianBusy: 429,
    RoleMissing: 503,
    BodyTooSlow: 408,
    AskedTooMuch: 429,
    LedgerTooSlow: 504,
    ModelStillOpening: 503,
    DatabaseUnreachable: 503,
}


def service(
    title: str,
    metrics: CollectorRegistry,
    max_body_bytes: int = MAX_BODY_BYTES,
    *,
    refusals: Mapping[str, Callable[[CaimiError], Response]] | None = None,
    closed: Sequence[str] = (),
) -> FastAPI:
    """Make an application that refuses large bodies and answers `CaimiError` as JSON.

    `refusals` say how under a path that begins so; elsewhere it is our own form. `closed` are
    paths, and what is below them, for who has shown a certificate. Interactive documentation is
    off: a node serves machines.
    """
    certificates = CollectorRegistry()
    certificates.register(CertificateMetrics())
    app = FastAPI(title=title, docs_url=None, redoc_url=None, openapi_url=None)

    def refuse(request: Request, error: CaimiError) -> Response:
        for path, form in (refusals or {}).items():
            if request.url.path.startswith(path):
                return form(error)
        return error_response(error)

    app.add_middleware(BoundBodies, most=max_body_bytes, refuse=refuse)
    app.add_middleware(ClosedPaths, closed=tuple(closed))
    app.add_middleware(NamedRequests)

    @app.exception_handler(CaimiError)
    async def answer_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, CaimiError)
        return refuse(request, error)

    @app.exception_handler(ClientDisconnect)
    async def end(_request: Request, _error: Exception) -> Response:
        return Response(status_code=400)  # nobody is there to read it

    @app.get("/version")
    async def tell_version() -> Response:
        return JSONResponse({"version": __version__, "time": int(time.time() * 1000)})

    @app.get("/metrics")
    async def expose_metrics() -> Response:
        text = generate_latest(metrics) + generate_latest(certificates)
        return PlainTextResponse(text, media_type=CONTENT_TYPE_LATEST)

    return app


class ClosedPaths:
    """Middleware: answers some paths to those alone who have shown a trusted certificate."""

    def __init__(self, app: ASGIApp, closed: tuple[str, ...]) -> None:
        self._app = app
        self._closed = closed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse before anything of a body is read."""
        shown = scope.get("state", {}).get("certificate")
        if scope["type"] == "http" and shown is None and self._is_closed(scope["path"]):
            refused = CertificateRequired(f"{scope['path'][:80]} needs a client certificate.")
            await error_response(refused)(scope, receive, send)
            return
        if shown is None:
            await self._app(scope, receive, send)
            return
        with about(peer=one_line(f"{shown.organisation}/{shown.name}")):
            await self._app(scope, receive, send)

    def _is_closed(self, path: str) -> bool:
        return any(path == each or path.startswith(f"{each}/") for each in self._closed)


def error_response(error: CaimiError) -> JSONResponse:
    """Give an error as JSON with a fitting status."""
    status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 400)
    return JSONResponse(error.as_dict(), status_code=status)


async def json_object(request: Request, *fields: str) -> dict[str, object]:
    """Read a JSON object that has exactly `fields`.

    Raises:
        RequestInvalid: it is something else.
    """
    body = await request.body()
    try:
        document = read_json(body)
    except (ValueError, RecursionError) as error:
        raise RequestInvalid(f"The body is not JSON: {error}.") from error
    if not isinstance(document, dict) or set(document) != set(fields):
        raise RequestInvalid(f"The body must be an object with the fields {', '.join(fields)}.")
    return document


def text_field(document: dict[str, object], name: str, limit: int = 256) -> str:
    """Take a string of at most `limit` characters."""
    value = document[name]
    if not isinstance(value, str) or len(value) > limit:
        raise RequestInvalid(f"{name} must be a string of at most {limit} characters.")
    return value


def number_field(document: dict[str, object], name: str) -> int:
    """Take a number from 0 to 2**64 - 1."""
    value = document[name]
    if type(value) is not int or not 0 <= value < 1 << 64:
        raise RequestInvalid(f"{name} must be a whole number below 2**64.")
    return value


def list_field(document: dict[str, object], name: str, limit: int) -> list[object]:
    """Take a list of at most `limit` entries."""
    value = document[name]
    if not isinstance(value, list) or len(value) > limit:
        raise RequestInvalid(f"{name} must be a list of at most {limit} entries.")
    return value


def bytes_field(document: dict[str, object], name: str, size: int) -> bytes:
    """Take exactly `size` bytes, written as 0x and hex digits."""
    text = text_field(document, name, 2 + 2 * size)
    try:
        return read_either_case(text, size)
    except ValueError as error:
        raise RequestInvalid(f"{name} must be 0x and {2 * size} hex digits.") from error
