"""A service acts on each ledger by the key that its operator has there, and earns there."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

import word_family
from caimi.cli.app import app
from caimi.client.fees import ask_quote
from caimi.client.keyring import Keyring
from caimi.config import CommitteeSection, Config, CustodianSection, load_config
from caimi.custody.dkg.in_process import generate_in_process
from caimi.errors.base import CaimiError
from caimi.errors.operations import KeyMissing
from caimi.keystore import LocalSigner
from caimi.ledgers.port import Account, Ledger, LedgerId
from caimi.loopback import free_port
from caimi.messaging.checkpoint import make_committee
from caimi.node.app import create_app
from caimi.node.connections import make_server
from caimi.node.node import Node
from caimi.node.roles.relayer import run_relayer
from caimi.node.roles.watcher import run_watcher
from caimi.node.settings import MemberSection, NodeSettings
from caimi.services.endpoint import Endpoint
from two_families import EVM, FAR, FAR_SECTION, TwoFamilies, two_families

HOUR = 3600
FEE = 10**18
"""Of either ledger's coins: more than anything costs."""
ABSENT = """
[[ledgers]]
id = "eip155:1"
name = "evm"
rpc = "http://127.0.0.1:1"
deployed_at = 0
[ledgers.contracts]
gateway = "0x1111111111111111111111111111111111111111"
"""


@pytest.fixture
def members() -> list[LocalSigner]:
    return sorted((LocalSigner.generate() for _ in range(2)), key=lambda each: each.account)


@pytest.fixture
def world(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, members: list[LocalSigner]
) -> Iterator[TwoFamilies]:
    committee = make_committee(0, 2, [each.account for each in members])
    with two_families(tmp_path, monkeypatch, ("alice", "relayer"), committee) as made:
        yield made


@asynccontextmanager
async def in_background(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
        assert not task.done(), "It ended by itself."
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def committee_of(world: TwoFamilies, members: list[LocalSigner]) -> AsyncIterator[Config]:
    """Run the members' nodes; gives a configuration that names them, too."""
    sections = [
        MemberSection(
            index=at,
            account=f"0x{each.account.hex()}",
            public_key=f"0x{each.private_key.public_key.format().hex()}",
        )
        for at, each in enumerate(members, start=1)
    ]
    ports = [free_port() for _ in members]
    servers = []
    for at, (member, port) in enumerate(zip(members, ports, strict=True), start=1):
        home = world.config.parent / f"node-{at}"
        home.mkdir()
        settings = NodeSettings(
            index=at, port=port, threshold=2, committee=sections, home=home, ledgers=[]
        )
        node = Node(settings, member, world.ledgers, secrets.token_bytes(16))
        servers.append(make_server(create_app(node), "127.0.0.1", port))
    group = generate_in_process([each.private_key for each in members], 2)[0].group
    custodians = [
        CustodianSection(index=at, url=f"http://127.0.0.1:{port}", account=section.account)
        for at, (section, port) in enumerate(zip(sections, ports, strict=True), start=1)
    ]
    committee = CommitteeSection(group_key=f"0x{group.to_bytes().hex()}", custodians=custodians)
    serving = [asyncio.create_task(each.serve()) for each in servers]
    try:
        yield load_config(world.config).model_copy(update={"committee": committee})
    finally:
        for each in servers:
            each.should_exit = True
        await asyncio.gather(*serving)


async def send_paid(world: TwoFamilies, source: LedgerId, to: LedgerId) -> bytes:
    """Have alice send a model of hers, and pay the relayer at its account where it is sent from."""
    alice, relayer, ledger = world.people["alice"], world.people["relayer"], world.ledgers[source]
    key, registry = alice.signer_on(source), ledger.registry
    await ledger.submit(registry.publish("m", "1.0.0", b"\1" * 32), key)
    model = registry.model_id(alice.account(source), "m")
    await ledger.submit(registry.approve(model, ledger.bridge.account), key)
    timeout = max([(await each.head()).time for each in world.ledgers.values()]) + HOUR
    call = ledger.bridge.send(world.clients[source], model, alice.account(to), timeout)
    height = (await ledger.submit(call, key)).height
    (sent,) = await ledger.gateway.sent(height - 1, height)
    fee = ledger.coins.asset.of(FEE)
    await ledger.submit(ledger.fees.escrow(sent.packet, relayer.account(source), fee), key)
    return model


async def income_at(port: int) -> dict[str, float]:
    """Read what a relayer says that it earned; nothing where it does not answer yet."""
    async with httpx.AsyncClient() as http:
        try:
            told = (await http.get(f"http://127.0.0.1:{port}/metrics")).text
        except httpx.ConnectError:
            return {}
    samples = [each for found in text_string_to_metric_families(told) for each in found.samples]
    income = [each for each in samples if each.name == "caimi_relayer_income_total"]
    return {each.labels["ledger"]: each.value for each in income}


async def owner(ledger: Ledger, model: bytes) -> Account | None:
    found = await ledger.registry.find(model)
    return None if found is None else found.owner


async def test_a_relayer_carries_and_earns_on_each_ledger_by_its_account_there(
    world: TwoFamilies, members: list[LocalSigner]
) -> None:
    alice, relayer = world.people["alice"], world.people["relayer"]
    assert relayer.account(EVM).native != relayer.account(FAR).native
    port = free_port()
    async with committee_of(world, members) as config:
        there = await send_paid(world, EVM, FAR)
        here = await send_paid(world, FAR, EVM)
        async with in_background(run_relayer(config, "relayer", port)), asyncio.timeout(120):
            while await income_at(port) != {EVM: FEE, FAR: FEE}:  # noqa: ASYNC110 - none tells
                await asyncio.sleep(0.2)
            endpoint = Endpoint(f"http://127.0.0.1:{port}")
            for ledger in world.ledgers.values():
                (route,) = await ledger.gateway.routes()
                quoted = await ask_quote(endpoint, ledger, route)
                assert quoted.relayer == relayer.account(ledger.id)
                assert (await ledger.fees.owed(relayer.account(ledger.id))).units == FEE
            await endpoint.aclose()
    assert await owner(world.far, there) == alice.account(FAR)
    assert await owner(world.evm, here) == alice.account(EVM)
    assert (
        world.chain.count(relayer.signer_on(FAR)) >= 3
    )  # it delivered, acknowledged and collected


@pytest.fixture
def without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """A configuration of two ledgers, neither of which answers; the name has a key on the first."""
    monkeypatch.setenv("CAIMI_PASSPHRASE", "correct horse")
    word_family.install(tmp_path / "installed", monkeypatch)
    file = tmp_path / "caimi.toml"
    file.write_text(ABSENT)
    Keyring(load_config(file)).new("me")
    file.write_text(ABSENT + FAR_SECTION)
    return load_config(file)


@pytest.mark.parametrize("role", [run_relayer, run_watcher])
async def test_a_service_without_a_key_on_a_ledger_is_refused_before_it_asks_any(
    without: Config, role: Callable[[Config, str], Awaitable[None]]
) -> None:
    with pytest.raises(KeyMissing, match=f"me has no key on {FAR}") as caught:
        await role(without, "me")
    assert caught.value.next_step == f"Run `caimi keys new me --ledger {FAR}`."
    Keyring(without).add("me", word_family.WORDS.keys)
    with pytest.raises(CaimiError) as caught:
        await role(without, "me")
    assert not isinstance(caught.value, KeyMissing)


@pytest.mark.parametrize("name", ["relayer", "watcher"])
def test_the_command_says_which_key_is_to_be_made(without: Config, name: str) -> None:
    config = str(without.home / "caimi.toml")
    done = CliRunner().invoke(app, ["service", name, "--key", "me", "--config", config])
    assert done.exit_code == 1
    assert "CAIMI-C004" in done.output
    assert f"caimi keys new me --ledger {FAR}" in " ".join(done.output.split())
