"""A node's HTTP API: health, identity, attestations, shares, key generation.

Who may call it: anyone who reaches the port. Attestations are statements about public facts. A
share request carries its own signature and the custodian checks the grant itself. Key generation
accepts only messages signed by the committee of the node's own settings.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from caimi.custody.dkg import Ceremony, Enrolment, SignedMessage
from caimi.custody.dkg.ceremony import SESSION_BYTES
from caimi.custody.keys import MAX_CUSTODIANS
from caimi.custody.request import SignedShareRequest
from caimi.errors.base import CaimiError
from caimi.errors.node import RequestInvalid
from caimi.ledgers.port import LedgerId
from caimi.messaging.checkpoint import Attestation
from caimi.messaging.ibc_attestations import MAX_PATHS, IbcAttestation, Path
from caimi.node.http import (
    bytes_field,
    json_object,
    list_field,
    number_field,
    service,
    text_field,
)
from caimi.node.node import Node

MAX_ABSENCES = 1000


def create_app(node: Node) -> FastAPI:
    """Make the HTTP application of `node`."""
    app = service("CAIMI node", node.metrics.registry)

    @app.get("/health")
    async def health() -> Response:
        report = await node.health()
        return JSONResponse(report, status_code=200 if report["ok"] else 503)

    @app.get("/v1/identity")
    async def identity() -> Response:
        return JSONResponse(node.identity())

    _add_attestations(app, node)
    _add_ibc_attestations(app, node)
    _add_shares(app, node)
    _add_key_generation(app, node)
    return app


def _add_attestations(app: FastAPI, node: Node) -> None:
    @app.post("/v1/checkpoints")
    async def checkpoint(request: Request) -> Response:
        body = await json_object(request, "ledger", "from", "height")
        attesting = node.validator.attest(
            LedgerId(text_field(body, "ledger", 41)),
            number_field(body, "from"),
            number_field(body, "height"),
        )
        return await _attested(node, "checkpoint", attesting)

    @app.post("/v1/absences")
    async def absence(request: Request) -> Response:
        body = await json_object(request, "ledger", "height", "packets")
        attesting = node.validator.attest_absence(
            LedgerId(text_field(body, "ledger", 41)),
            number_field(body, "height"),
            [_packet_name(entry) for entry in list_field(body, "packets", MAX_ABSENCES)],
        )
        return await _attested(node, "absence", attesting)


def _add_ibc_attestations(app: FastAPI, node: Node) -> None:
    @app.post("/v1/ibc/states")
    async def state(request: Request) -> Response:
        body = await json_object(request, "ledger", "height")
        attestor = node.ibc_attestor(LedgerId(text_field(body, "ledger", 41)))
        attesting = attestor.attest_state(number_field(body, "height"))
        return await _attested(node, "state", attesting)

    @app.post("/v1/ibc/packets")
    async def packets(request: Request) -> Response:
        body = await json_object(request, "ledger", "height", "paths")
        attestor = node.ibc_attestor(LedgerId(text_field(body, "ledger", 41)))
        paths = [Path.from_document(entry) for entry in list_field(body, "paths", MAX_PATHS)]
        attesting = attestor.attest_packets(number_field(body, "height"), paths)
        return await _attested(node, "packets", attesting)


async def _attested(
    node: Node, kind: str, attesting: Awaitable[Attestation | IbcAttestation]
) -> Response:
    try:
        attestation = await attesting
    except CaimiError as error:
        node.metrics.refusals.labels(error.code).inc()
        raise
    node.metrics.attestations.labels(kind).inc()
    return Response(attestation.to_json(), media_type="application/json")


def _packet_name(entry: object) -> tuple[str, int]:
    match entry:
        # Identifiers of clients are ASCII, and JSON's true is a Python integer.
        case [str(client), int(sequence)] if (
            len(client) <= 128
            and client.isascii()
            and type(sequence) is int
            and 0 < sequence < 1 << 64
        ):
            return client, sequence
    raise RequestInvalid("Packets must be pairs of client id and sequence.")


def _add_shares(app: FastAPI, node: Node) -> None:
    @app.post("/v1/shares")
    async def share(request: Request) -> Response:
        signed = SignedShareRequest.from_json(await request.body())
        answer = await node.custodian().answer(signed)
        node.metrics.shares.inc()
        return Response(answer.to_json(), media_type="application/json")


def _add_key_generation(app: FastAPI, node: Node) -> None:
    @app.post("/v1/dkg/enrol")
    async def enrol(request: Request) -> Response:
        body = await json_object(request, "session")
        enrolment = node.key_generation.enrol(bytes_field(body, "session", SESSION_BYTES))
        return Response(enrolment.to_json(), media_type="application/json")

    @app.post("/v1/dkg/start")
    async def start(request: Request) -> Response:
        body = await json_object(request, "session", "threshold", "members")
        members = list_field(body, "members", MAX_CUSTODIANS)
        ceremony = Ceremony(
            bytes_field(body, "session", SESSION_BYTES),
            number_field(body, "threshold"),
            tuple(Enrolment.from_json(json.dumps(member)) for member in members),
        )
        return _message(node.key_generation.start(ceremony))

    @app.post("/v1/dkg/advance")
    async def advance(request: Request) -> Response:
        return _message(node.key_generation.advance(await _messages(request)))

    @app.post("/v1/dkg/finish")
    async def finish(request: Request) -> Response:
        group = await node.key_generation.finish(await _messages(request))
        return JSONResponse({"group": f"0x{group.to_bytes().hex()}"})


async def _messages(request: Request) -> list[SignedMessage]:
    body = await json_object(request, "messages")
    entries = list_field(body, "messages", MAX_CUSTODIANS)
    return [SignedMessage.from_json(json.dumps(entry)) for entry in entries]


def _message(message: SignedMessage) -> Response:
    return Response(message.to_json(), media_type="application/json")
