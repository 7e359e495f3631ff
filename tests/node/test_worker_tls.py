"""A worker with a certificate in its configuration serves HTTPS, to users who need none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from caimi.client.network import AsyncNetwork
from caimi.client.worker_connections import worker_tls
from caimi.config import Config, TlsSection, WorkerSection, load_config
from caimi.errors.base import CaimiError
from caimi.errors.certificates import PeerNotTrusted
from caimi.inference.oip import open_inference_pb2 as pb
from caimi.loopback import free_port
from caimi.messaging.checkpoint import make_committee
from caimi.node.roles.worker import run_worker
from caimi.services.endpoint import Endpoint
from caimi.tls.contexts import ClientTls, reload_all
from organisations import Organisation
from two_families import FAR, TwoFamilies, two_families


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TwoFamilies]:
    committee = make_committee(0, 2, [b"\1" * 20, b"\2" * 20])
    with two_families(tmp_path, monkeypatch, ("worker",), committee) as made:
        yield made


@asynccontextmanager
async def served(
    config: Config, whose: Organisation, grpc_port: int | None = None
) -> AsyncIterator[str]:
    """Run a worker with a certificate of `whose`; give its URL."""
    own = whose.issue("worker", "127.0.0.1", "localhost")
    tls = TlsSection(certificate=str(own.certificate), key=str(own.key))
    config, port = config.model_copy(update={"tls": tls}), free_port()
    serving = asyncio.create_task(run_worker(config, "worker", "127.0.0.1", port, 60.0, grpc_port))
    try:
        async with asyncio.timeout(60):
            while True:
                assert not serving.done(), serving
                try:
                    await health(f"https://127.0.0.1:{port}", ClientTls([whose.trust]))
                except CaimiError:
                    await asyncio.sleep(0.2)
                else:
                    break
        yield f"https://127.0.0.1:{port}"
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


async def is_live(port: int, whose: Organisation | None) -> bool:
    """Ask over gRPC, believing an organisation's authority, or in plain."""
    address = f"127.0.0.1:{port}"
    if whose is None:
        channel = grpc.aio.insecure_channel(address)
    else:
        believed = grpc.ssl_channel_credentials(whose.trust.read_bytes())
        channel = grpc.aio.secure_channel(address, believed)
    async with channel:
        call = channel.unary_unary("/inference.GRPCInferenceService/ServerLive")
        answer = await call(b"", timeout=10)
        return bool(pb.ServerLiveResponse.FromString(answer).live)


async def health(url: str, tls: ClientTls | None) -> bool:
    endpoint = Endpoint(url, tls=tls)
    try:
        return (await endpoint.get("/health"))["ok"] is True
    finally:
        await endpoint.aclose()


async def test_a_worker_serves_with_its_certificate(world: TwoFamilies, tmp_path: Path) -> None:
    ours = Organisation(tmp_path, "Ours")
    async with served(load_config(world.config), ours) as url:
        assert await health(url, ClientTls([ours.trust]))
        with pytest.raises(PeerNotTrusted):
            await health(url, None)


async def test_its_grpc_shows_the_same_certificate_and_speaks_nothing_plain(
    world: TwoFamilies, tmp_path: Path
) -> None:
    ours, theirs = Organisation(tmp_path, "Ours"), Organisation(tmp_path, "Theirs")
    port = free_port()
    async with served(load_config(world.config), ours, port):
        assert await is_live(port, ours)
        for stranger in (None, theirs):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await is_live(port, stranger)
            assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        # A renewed certificate is shown from the next connection on, by another authority, too.
        theirs.issue("worker", "127.0.0.1")
        for name in ("worker.pem", "worker.key"):
            (ours.folder / name).write_bytes((theirs.folder / name).read_bytes())
        assert await is_live(port, ours)
        assert reload_all() == []
        assert await is_live(port, theirs)
        with pytest.raises(grpc.aio.AioRpcError):
            await is_live(port, ours)


async def test_a_worker_is_whom_its_section_says_however_its_url_is_given(
    world: TwoFamilies, tmp_path: Path
) -> None:
    ours, theirs = Organisation(tmp_path, "Ours"), Organisation(tmp_path, "Theirs")
    config = load_config(world.config)
    async with served(config, theirs) as url:
        listed = url.replace("127.0.0.1", "localhost")
        worker = WorkerSection(url=listed, account="worker", ledger=FAR, trust=str(ours.trust))
        update = {"tls": TlsSection(trust=[str(theirs.trust)]), "workers": [worker]}
        async with AsyncNetwork.connect(config.model_copy(update=update), key="worker") as network:
            of_no_section = worker_tls(network.config, url)  # who [tls] believes
            assert await health(url, of_no_section)
            for given in (listed, f"{listed}/", listed.replace("https://l", "HTTPS://L")):
                with pytest.raises(PeerNotTrusted):
                    await health(given, worker_tls(network.config, given))
