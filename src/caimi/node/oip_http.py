"""The Open Inference Protocol v2 over HTTP, beside a worker's own API.

Who may call it: anyone who reaches the port, as for a worker's own API. Errors are the protocol's
objects, with our code in their text and our fields beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from caimi.errors.base import CaimiError
from caimi.errors.databases import DatabaseUnreachable
from caimi.errors.inference import (
    ModelNotServed,
    ModelStillOpening,
    ReceiptStoreDamaged,
    UnreadableTensors,
    WorkerBusy,
)
from caimi.errors.node import LedgerTooSlow
from caimi.inference.oip.json_fields import LENGTH_HEADER
from caimi.inference.oip.json_metadata import model_info_document
from caimi.inference.oip.rest import decode_request, encode_answer
from caimi.inference.oip.service import EXTENSIONS, SERVER, OipService
from caimi.node.bodies import Bodies

PREFIX: Final = "/v2"
_STATUS: Final[dict[type[CaimiError], int]] = {
    ModelStillOpening: 503,
    ModelNotServed: 404,
    WorkerBusy: 503,
    ReceiptStoreDamaged: 500,
    DatabaseUnreachable: 503,
    LedgerTooSlow: 504,
}


def oip_routes(service: OipService, bodies: Bodies, answered: Callable[[], None]) -> list[Route]:
    """Give the protocol's routes; `answered` is told of each answer.

    They raise `CaimiError`, for which `refusal` is the answer.
    """

    async def live(_request: Request) -> Response:
        return Response()

    async def server(_request: Request) -> Response:
        return JSONResponse(
            {"name": SERVER, "version": service.version, "extensions": list(EXTENSIONS)}
        )

    async def model(request: Request) -> Response:
        return JSONResponse(model_info_document(await service.model(*_named(request))))

    async def ready(request: Request) -> Response:
        name, version = _named(request)
        is_ready = await service.ready(name, version)
        document = {"name": name, "ready": is_ready}
        return JSONResponse(document, status_code=200 if is_ready else 404)

    async def infer(request: Request) -> Response:
        if request.headers.get("content-encoding", "identity") != "identity":
            raise UnreadableTensors(
                "A compressed body is not accepted.",
                why="What it expands to has no bound.",
                next_step="Send it without compression.",
            )
        body = await bodies.read(request)
        asked = decode_request(*_named(request), body, request.headers.get(LENGTH_HEADER))
        data, length = encode_answer(await service.infer(asked), asked)
        answered()
        if length is None:
            return Response(data, media_type="application/json")
        headers = {LENGTH_HEADER: str(length)}
        return Response(data, media_type="application/octet-stream", headers=headers)

    either = "/v2/models/{name}", "/v2/models/{name}/versions/{version}"
    return [
        Route("/v2", server, methods=["GET"]),
        Route("/v2/health/live", live, methods=["GET"]),
        Route("/v2/health/ready", live, methods=["GET"]),
        *(Route(path, model, methods=["GET"]) for path in either),
        *(Route(f"{path}/ready", ready, methods=["GET"]) for path in either),
        *(Route(f"{path}/infer", infer, methods=["POST"]) for path in either),
    ]


def _named(request: Request) -> tuple[str, str]:
    return request.path_params["name"], request.path_params.get("version", "")


def refusal(error: CaimiError) -> Response:
    """Answer a `CaimiError` as the protocol's error object."""
    status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 400)
    return JSONResponse(error.as_dict() | {"error": error_text(error)}, status_code=status)


def error_text(error: CaimiError) -> str:
    """Give an error in one text, as the protocol has it: code, what, why and next step."""
    return " ".join(part for part in (str(error), error.why, error.next_step) if part)
