"""The real relayer and validators between two ledgers that have nothing in common."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from conformance.anchoring import checked, receipt_of
from conformance.crossing import THRESHOLD, Crossing
from conformance.site import World
from ledger_site import COIN, EvmSite
from unlike_pair import Pair

from caimi.inference.batch import ReceiptWriter, anchor_receipts
from caimi.inference.verification import FAILED, PASSED, Evidence
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.administration.deploying import deploy
from caimi.ledgers.evm.local.embedded import EmbeddedChain
from caimi.ledgers.evm.local.in_process import embedded_chain
from caimi.persistence import open_receipt_store
from memory_ledger import MemorySite


@pytest.fixture
async def world() -> World:
    rich = LocalSigner.generate()
    chain = EmbeddedChain(31337, {rich.account: 1_000_000 * COIN})
    site = EvmSite(lambda: embedded_chain(chain), rich, await deploy(embedded_chain(chain), rich))
    return World(site, site.open(), await site.wallet("alice"), await site.wallet("bob"))


@pytest.fixture
async def pair(world: World, tmp_path: Path) -> AsyncIterator[Pair]:
    made = Pair(await Crossing.made(world, MemorySite.named("far")), tmp_path)
    assert len(made.validators) > THRESHOLD
    yield made
    await world.ledger.aclose()
    for store in made.stores:
        store.close()


async def test_a_model_goes_to_a_ledger_of_another_family_and_comes_back(world: World, pair: Pair):
    evm, memory, relayer = pair.evm.ledger, pair.other.ledger, pair.relayer()
    carol = await pair.other.site.wallet("carol")
    model_id = await world.published()

    sequence = await pair.send(pair.evm, world.alice, model_id, pair.other.account(carol))
    carried = await pair.settle(relayer)
    assert carried == [f"deliver on {memory.id}", f"acknowledge on {evm.id}"]
    assert await evm.bridge.outcome(model_id, pair.evm.client, sequence) == "completed"
    arrived = await memory.registry.model(model_id)
    assert (arrived.owner, arrived.home) == (pair.other.account(carol), evm.registry.address)

    sequence = await pair.send(pair.other, carol, model_id, world.account(world.bob))
    carried = await pair.settle(relayer)
    assert carried == [f"deliver on {evm.id}", f"acknowledge on {memory.id}"]
    assert await memory.bridge.outcome(model_id, pair.other.client, sequence) == "completed"
    assert (await evm.registry.model(model_id)).owner == world.account(world.bob)
    assert (await memory.registry.model(model_id)).owner is None
    assert await evm.bridge.lock(model_id) is None


@pytest.mark.parametrize("leaving", ["evm", "memory"])
async def test_what_is_not_delivered_in_time_comes_back_on_either_side(
    world: World, pair: Pair, leaving: str
):
    carol = await pair.other.site.wallet("carol")
    model_id = await world.published()
    start, owner, to = pair.evm, world.alice, pair.other.account(carol)
    if leaving == "memory":
        await pair.send(start, owner, model_id, to)
        await pair.settle(pair.relayer())
        start, owner, to = pair.other, carol, world.account(world.bob)
    sequence = await pair.send(start, owner, model_id, to, lasts=60)
    await pair.crossing.pass_time(120)
    # A relayer that starts anew reads everything off the ledgers.
    assert await pair.settle(pair.relayer()) == [f"time out on {start.ledger.id}"]
    assert await start.ledger.bridge.outcome(model_id, start.client, sequence) == "refunded"
    assert (await start.ledger.registry.model(model_id)).owner == start.account(owner)


async def test_a_model_at_home_on_an_unlike_ledger_is_taken_and_its_home_keeps_it_locked(
    world: World, pair: Pair
):
    memory, carol = pair.other.ledger, await pair.other.site.wallet("carol")
    await memory.submit(memory.registry.publish("digits", "1.0.0", b"\7" * 32), carol)
    model_id = memory.registry.model_id(pair.other.account(carol), "digits")
    sequence = await pair.send(pair.other, carol, model_id, world.account(world.bob))
    await pair.settle(pair.relayer())
    assert await memory.bridge.outcome(model_id, pair.other.client, sequence) == "completed"
    assert (await memory.registry.model(model_id)).owner != pair.other.account(carol)
    taken = await pair.evm.ledger.registry.model(model_id)
    assert taken.owner == world.account(world.bob)
    assert taken.home == memory.registry.address


async def test_what_is_not_final_where_it_was_sent_is_not_carried(world: World, pair: Pair):
    carol = await pair.other.site.wallet("carol")
    model_id = await world.published()
    await pair.send(pair.evm, world.alice, model_id, pair.other.account(carol))
    await pair.settle(pair.relayer())
    site = pair.other.site
    site.deep(3)
    await site.advance(blocks=3)
    sequence = await pair.send(pair.other, carol, model_id, world.account(world.bob))
    relayer = pair.relayer()
    assert await pair.settle(relayer) == []
    await site.advance(blocks=3)
    assert await pair.settle(relayer) == [
        f"deliver on {pair.evm.ledger.id}",
        f"acknowledge on {pair.other.ledger.id}",
    ]
    outcome = await pair.other.ledger.bridge.outcome(model_id, pair.other.client, sequence)
    assert outcome == "completed"


async def test_a_worker_answers_for_a_model_of_another_family_and_anchors_at_home(
    world: World, pair: Pair, tmp_path: Path
):
    evm, memory = pair.evm.ledger, pair.other.ledger
    carol = await pair.other.site.wallet("carol")
    wallet = memory.accounts.wallet(carol)
    model = (evm, await world.published())
    store = open_receipt_store(None, tmp_path / "receipts.sqlite")
    signed = receipt_of(model, wallet).sign(wallet)
    await ReceiptWriter(store, memory.accounts).add(signed)
    assert await anchor_receipts(store, evm, world.alice) is None
    assert await anchor_receipts(store, memory, carol) is not None
    inclusion = store.inclusion(signed.receipt.digest(memory.accounts))
    found = await checked(signed, evm, memory, Evidence(inclusion))
    assert [check.state for check in found] == [PASSED] * 3
    elsewhere = await checked(signed, evm, evm, Evidence(inclusion))
    assert [check.state for check in elsewhere] == [FAILED, PASSED, FAILED]
    store.close()
