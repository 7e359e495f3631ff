"""The real relayer and validators between an EVM ledger and an idle Fabric channel."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from conformance.crossing import Crossing
from conformance.site import World
from ledger_site import COIN, EvmSite
from site_of_stand_in import FabricSite
from unlike_pair import Pair

from caimi.errors.messaging import ForgedDelivery
from caimi.ibc.commitments import packet_commitment
from caimi.ibc.path import Path as PacketPath
from caimi.ibc.statements import Kind
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.administration.deploying import deploy
from caimi.ledgers.evm.local.embedded import EmbeddedChain
from caimi.ledgers.evm.local.in_process import embedded_chain
from caimi.ledgers.present import present_time
from caimi.messaging.open_packets import OpenPackets
from caimi.messaging.proof import Tree, block_fact
from caimi.messaging.watcher import Watcher


@pytest.fixture
async def far(tmp_path: Path) -> FabricSite:
    return await FabricSite.named("far", tmp_path)


@pytest.fixture
async def world() -> World:
    rich = LocalSigner.generate()
    chain = EmbeddedChain(31337, {rich.account: 1_000_000 * COIN})
    site = EvmSite(lambda: embedded_chain(chain), rich, await deploy(embedded_chain(chain), rich))
    return World(site, site.open(), await site.wallet("alice"), await site.wallet("bob"))


@pytest.fixture
async def pair(world: World, far: FabricSite, tmp_path: Path) -> AsyncIterator[Pair]:
    made = Pair(await Crossing.made(world, far), tmp_path)
    yield made
    await world.ledger.aclose()
    for store in made.stores:
        store.close()


async def test_a_model_goes_to_a_channel_and_comes_back(world: World, pair: Pair):
    evm, fabric, relayer = pair.evm.ledger, pair.other.ledger, pair.relayer()
    carol = await pair.other.site.wallet("carol")
    model_id = await world.published()
    await pair.send(pair.evm, world.alice, model_id, pair.other.account(carol))
    assert await pair.settle(relayer) == [f"deliver on {fabric.id}", f"acknowledge on {evm.id}"]
    arrived = await fabric.registry.model(model_id)
    assert (arrived.owner, arrived.home) == (pair.other.account(carol), evm.registry.address)

    await pair.send(pair.other, carol, model_id, world.account(world.bob))
    assert await pair.settle(relayer) == [f"deliver on {evm.id}", f"acknowledge on {fabric.id}"]
    assert (await evm.registry.model(model_id)).owner == world.account(world.bob)


async def test_what_an_idle_channel_never_received_times_out(
    world: World, pair: Pair, far: FabricSite
):
    carol = await far.wallet("carol")
    model_id = await world.published()
    sequence = await pair.send(
        pair.evm, world.alice, model_id, pair.other.account(carol), lasts=3_600
    )
    await pair.evm.site.advance(3_700)
    far.shift += 3_700  # the organisations' clocks; nobody has told the ledger
    here, there = (OpenPackets(end.ledger, pair.ledgers) for end in (pair.evm, pair.other))
    for each in (here, there):
        await each.scan()
    (route,) = await pair.evm.ledger.gateway.routes()
    assert (await here.sort(route, there)).deliver == ()
    assert await pair.settle(pair.relayer()) == [f"time out on {pair.evm.ledger.id}"]
    outcome = await pair.evm.ledger.bridge.outcome(model_id, pair.evm.client, sequence)
    assert outcome == "refunded"


async def test_an_idle_channels_clock_is_moved_when_it_is_asked_for_and_not_twice(far: FabricSite):
    ledger = far.open()
    before = await ledger.head()
    assert await present_time(ledger) - before.time < 5
    assert (await ledger.head()).height == before.height
    far.shift += 3_600
    assert await present_time(ledger) >= before.time + 3_600
    moved = await ledger.head()
    assert moved.height == before.height + 1
    assert await present_time(ledger) == moved.time
    assert (await ledger.head()).height == moved.height
    await ledger.aclose()


async def test_a_watcher_holds_what_arrives_against_what_the_channel_sent(world: World, pair: Pair):
    evm, fabric = pair.evm.ledger, pair.other.ledger
    watcher = Watcher(pair.ledgers, {evm.id: world.site.guardian}, patience_seconds=0)
    carol = await pair.other.site.wallet("carol")
    model_id = await world.published()
    await pair.send(pair.evm, world.alice, model_id, pair.other.account(carol))
    await pair.settle(pair.relayer())
    packet, _ = await pair.crossing.send(pair.other, carol, model_id, world.account(world.bob))
    await pair.settle(pair.relayer())
    await pair.crossing.in_step()
    honest = await watcher.step()
    assert (honest.findings, honest.failures) == ([], [])
    assert honest.paused == {(evm.id, pair.evm.client): False}

    forged = replace(packet, sequence=packet.sequence + 1)
    key = PacketPath.commitment(forged.source_client, forged.sequence).key
    block = await fabric.head()
    tree = Tree.of([block_fact(block), (key, packet_commitment(forged))])
    blocks = (block.height - 1, block.height)
    what = (Kind.CHECKPOINT, blocks, block.time)
    proof = await pair.crossing.sign(pair.other, pair.evm, what, tree, [key])
    delivered = evm.gateway.receive(pair.evm.client, [forged], proof.data)
    await evm.submit(delivered, pair.evm.carrier)
    (finding,) = (await watcher.step()).findings
    assert isinstance(finding, ForgedDelivery)
    for _ in range(20):
        await pair.evm.site.advance()
        seen = await watcher.step()
        if seen.paused[evm.id, pair.evm.client]:
            break
    assert seen.paused == {(evm.id, pair.evm.client): True}
    assert seen.failures == []
