"""Idle connections are given up by who asks, before who answers closes them."""

from __future__ import annotations

import asyncio

import pytest
from fastapi import FastAPI
from live import live

from caimi.node import connections
from caimi.services.endpoint import Endpoint
from organisations import Organisation

FAR_SECONDS = 1.0
"""What a close takes to be heard of, at most, and some more on a busy machine."""


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "tls"])
def test_no_request_goes_over_a_connection_that_is_about_to_be_closed(
    tmp_path_factory: pytest.TempPathFactory, encrypted: bool
) -> None:
    app, ports = FastAPI(), []

    @app.middleware("http")
    async def note(request, call_next):
        ports.append(request.client.port)
        return await call_next(request)

    @app.get("/")
    async def answer() -> dict[str, bool]:
        return {"ok": True}

    ours = Organisation(tmp_path_factory.mktemp("ours"), "Ours") if encrypted else None

    async def ask(port: int) -> None:
        tls = ours.client() if ours else None
        endpoint = Endpoint(f"http{'s' if ours else ''}://127.0.0.1:{port}", tls=tls)
        try:
            await endpoint.get("/")
            await endpoint.get("/")
            await asyncio.sleep(connections.IDLE_SECONDS - FAR_SECONDS)
            await endpoint.get("/")
        finally:
            await endpoint.aclose()

    with live(app, tls=ours.server() if ours else None) as port:
        asyncio.run(ask(port))
    assert ports[0] == ports[1] != ports[2]
