"""Every line of a log that a request causes carries that request's name."""

from __future__ import annotations

import asyncio

from httpx import ASGITransport, AsyncClient
from prometheus_client import CollectorRegistry
from starlette.types import Receive, Scope, Send

from caimi.logs import fields
from caimi.node.http import service
from caimi.tls.certificates import PeerCertificate


async def test_requests_are_answered_under_names_of_their_own() -> None:
    app = service("A service", CollectorRegistry())
    names: list[object] = []

    @app.get("/work")
    async def work() -> None:
        await asyncio.sleep(0)
        names.append(fields().get("request"))

    async with AsyncClient(transport=ASGITransport(app), base_url="http://a") as client:
        await asyncio.gather(*(client.get("/work") for _ in range(3)))
    assert len(set(names)) == 3
    assert all(isinstance(name, str) and len(name) == 16 for name in names)
    assert fields() == {}


async def test_a_peers_certificate_chooses_a_part_of_one_line_of_the_log() -> None:
    app = service("A service", CollectorRegistry())
    peers: list[object] = []

    @app.get("/work")
    async def work() -> None:
        peers.append(fields().get("peer"))

    shown = PeerCertificate("node\n\x1b[2J\u2028" + "x" * 100_000, "Acme\r", "ab" * 32)

    async def certified(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "state": {"certificate": shown}}, receive, send)

    async with AsyncClient(transport=ASGITransport(certified), base_url="http://a") as client:
        await client.get("/work")
    (peer,) = peers
    assert isinstance(peer, str)
    assert peer.startswith("Acme")
    assert peer.isprintable()
    assert len(peer) < 300
