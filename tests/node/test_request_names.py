"""Every line of a log that a request causes carries that request's name."""

from __future__ import annotations

import asyncio

from httpx import ASGITransport, AsyncClient
from prometheus_client import CollectorRegistry

from caimi.logs import fields
from caimi.node.http import service


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
