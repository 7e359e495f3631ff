"""A worker with a certificate in its configuration serves HTTPS, to users who need none."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from caimi.config import TlsSection, load_config
from caimi.errors.base import CaimiError
from caimi.errors.certificates import PeerNotTrusted
from caimi.loopback import free_port
from caimi.messaging.checkpoint import make_committee
from caimi.node.roles.worker import run_worker
from caimi.services.endpoint import Endpoint
from caimi.tls.contexts import ClientTls
from organisations import Organisation
from two_families import TwoFamilies, two_families


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TwoFamilies]:
    committee = make_committee(0, 2, [b"\1" * 20, b"\2" * 20])
    with two_families(tmp_path, monkeypatch, ("worker",), committee) as made:
        yield made


async def test_a_worker_serves_with_its_certificate(world: TwoFamilies, tmp_path: Path) -> None:
    ours = Organisation(tmp_path, "Ours")
    own = ours.issue("worker", "127.0.0.1")
    tls = TlsSection(certificate=str(own.certificate), key=str(own.key))
    config = load_config(world.config).model_copy(update={"tls": tls})
    port = free_port()
    serving = asyncio.create_task(run_worker(config, "worker", "127.0.0.1", port, 60.0))
    trusting = Endpoint(f"https://127.0.0.1:{port}", tls=ClientTls([ours.trust]))
    public = Endpoint(f"https://127.0.0.1:{port}")
    try:
        async with asyncio.timeout(60):
            while True:
                assert not serving.done(), serving
                try:
                    told = await trusting.get("/health")
                except CaimiError:
                    await asyncio.sleep(0.2)
                else:
                    break
        assert told["ok"] is True
        with pytest.raises(PeerNotTrusted):
            await public.get("/health")
    finally:
        for endpoint in (trusting, public):
            await endpoint.aclose()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
