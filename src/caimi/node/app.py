"""A node's HTTP API: health, identity, attestations, shares, key generation.

Who may call it: anyone who reaches the port. Attestations are statements about public facts. A
share request carries its own signature and the custodian checks the grant itself. Key generation
takes orders that the coordinator of the node's own settings signed, and no others. A node that
serves TLS answers `CLOSED` paths to those alone whose client certificate it trusts.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from caimi.custody.dkg import Order
from caimi.custody.request import SignedShareRequest
from caimi.errors.base import CaimiError
from caimi.errors.node import RequestInvalid
from caimi.ledgers.port import LedgerId
from caimi.messaging.checkpoint import Attestation
from caimi.messaging.ibc_attestations import MAX_PATHS, IbcAttestation, read_path
from caimi.node.connections import peer_of
from caimi.node.http import (
    json_object,
    list_field,
    number_field,
    service,
    text_field,
)
from caimi.node.lanes import LaneKind
from caimi.node.node import Node

MAX_ABSENCES = 1000
CLOSED: Final = ("/v1/dkg", "/metrics")
"""For services: nobody else has a reason to order key generations, or to count requests."""


def create_app(node: Node) -> FastAPI:
    """Make the HTTP application of `node`."""
    closed = CLOSED if node.settings.tls is not None else ()
    app = service("CAIMI node", node.metrics.registry, closed=closed)

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
        ledger = LedgerId(text_field(body, "ledger", 41))
        first, height = number_field(body, "from"), number_field(body, "height")
        async with node.lanes.take(
            ledger, LaneKind.of_blocks(height - first), peer_of(request.client)
        ):
            return await _attested(node, "checkpoint", node.validator.attest(ledger, first, height))

    @app.post("/v1/absences")
    async def absence(request: Request) -> Response:
        body = await json_object(request, "ledger", "height", "packets")
        ledger = LedgerId(text_field(body, "ledger", 41))
        height = number_field(body, "height")
        packets = [_packet_name(entry) for entry in list_field(body, "packets", MAX_ABSENCES)]
        kind = LaneKind.of_absences(len(packets))
        async with node.lanes.take(ledger, kind, peer_of(request.client)):
            return await _attested(
                node, "absence", node.validator.attest_absence(ledger, height, packets)
            )


def _add_ibc_attestations(app: FastAPI, node: Node) -> None:
    @app.post("/v1/ibc/states")
    async def state(request: Request) -> Response:
        body = await json_object(request, "ledger", "height")
        ledger = LedgerId(text_field(body, "ledger", 41))
        attestor, height = node.ibc_attestor(ledger), number_field(body, "height")
        async with node.lanes.take(ledger, LaneKind.PATHS, peer_of(request.client)):
            return await _attested(node, "state", attestor.attest_state(height))

    @app.post("/v1/ibc/packets")
    async def packets(request: Request) -> Response:
        body = await json_object(request, "ledger", "height", "paths")
        ledger = LedgerId(text_field(body, "ledger", 41))
        attestor, height = node.ibc_attestor(ledger), number_field(body, "height")
        paths = [read_path(entry) for entry in list_field(body, "paths", MAX_PATHS)]
        async with node.lanes.take(ledger, LaneKind.PATHS, peer_of(request.client)):
            return await _attested(node, "packets", attestor.attest_packets(height, paths))


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
        custodian, ledger = node.custodian(), signed.request.ledger
        async with node.lanes.take(ledger, LaneKind.SHARE, peer_of(request.client)):
            answer = await custodian.answer(signed)
        node.metrics.shares.inc()
        return Response(answer.to_json(), media_type="application/json")


def _add_key_generation(app: FastAPI, node: Node) -> None:
    @app.post("/v1/dkg/{step}")
    async def ordered(step: str, request: Request) -> Response:
        order = Order.from_json(await request.body())
        if order.step.value != step:
            raise RequestInvalid(f"The order is to {order.step.value}, not to {step[:16]!r}.")
        return Response(await node.key_generation.obey(order), media_type="application/json")
