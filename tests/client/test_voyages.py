"""A model goes over several ledgers and comes back the same way, as deep as its sender asks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from caimi.client.catalogue import history, show
from caimi.client.deprecation import deprecate
from caimi.client.publish import publish
from caimi.client.transfer import Transferred, transfer
from caimi.client.voyage import follow
from caimi.demo.world import World, start_world
from caimi.errors.ledgers import ModelAway, NotAllowed, TransactionReverted
from caimi.errors.operations import NotTheWay, StillInFlight, TransferRefunded
from caimi.ledgers.evm.facets.voyages import licence_digest
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.port import Account, GrantedLicence, RevokedLicence
from caimi.models.package import Package
from caimi.uri import ModelUri


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with start_world("embedded", tmp_path) as started:
        yield started


@pytest.fixture
async def model(world: World, tmp_path: Path) -> ModelUri:
    file = tmp_path / "model.bin"
    file.write_bytes(b"weights")
    package = Package.from_path(file)
    done = await publish(world.publisher, package, ledger=world.a.id, name="m", version="1.0.0")
    return ModelUri.parse(done.uri).with_selector(None)


def mover(world: World, model: ModelUri) -> Callable[[EvmLedger], Awaitable[Transferred]]:
    account = world.publisher.identity.account
    return lambda to: transfer(world.publisher, model, to=to.id, recipient=account(to.id))


async def test_a_model_goes_on_from_where_it_is_a_guest_and_comes_back(
    world: World, model: ModelUri
) -> None:
    move = mover(world, model)
    await move(world.b)
    await move(world.c)
    voyage = await follow(world.consumer, model)
    assert [stop.ledger for stop in voyage.stops] == [world.a.id, world.b.id, world.c.id]
    assert voyage.last.path == (world.b.id,)
    assert voyage.last.token != model.model_id == voyage.stops[1].token
    assert voyage.last.owner == world.publisher.identity.account(voyage.last.ledger)
    assert voyage.stops[1].owner == world.b.bridge.account
    assert not voyage.in_flight

    await move(world.b)
    await move(world.a)
    assert (await follow(world.consumer, model)).last.ledger == world.a.id
    await deprecate(world.publisher, str(model.with_selector("1.0.0")), "done")


async def test_a_model_goes_back_only_the_way_it_came(world: World, model: ModelUri) -> None:
    move = mover(world, model)
    await move(world.b)
    await move(world.c)
    with pytest.raises(NotTheWay, match=f"over {world.b.id}"):
        await move(world.a)
    token = (await follow(world.publisher, model)).last.token
    routes = await world.c.gateway.routes()
    to_a = next(route.client_id for route in routes if route.counterparty == world.a.id)
    account = world.publisher.identity.account(world.a.id)
    timeout = (await world.c.head()).time + 600
    with pytest.raises(TransactionReverted, match="NotTheWay"):
        await world.c.submit(
            world.c.bridge.send(to_a, token, account, timeout), world.publisher.identity.signer
        )


async def test_the_path_and_the_history_of_a_model_abroad_are_shown(
    world: World, model: ModelUri
) -> None:
    move = mover(world, model)
    await move(world.b)
    await move(world.c)
    shown = await show(world.consumer, model)
    assert (shown.held_on, shown.path) == (world.c.id, (world.b.id,))
    minted = [
        line.ledger
        for line in await history(world.consumer, model)
        if line.event == "foreign model minted"
    ]
    assert minted == [world.b.id, world.c.id]


async def test_what_the_home_says_of_a_model_is_known_abroad(world: World, model: ModelUri) -> None:
    move = mover(world, model)
    await move(world.b)
    await move(world.c)
    token = (await follow(world.consumer, model)).last.token
    known = await world.c.registry.foreign(token)
    (version,) = await world.a.registry.versions(model.model_id)
    assert known.path == (world.b.id,)
    assert (known.stated.version, known.stated.manifest) == (version.version, version.manifest)
    assert (known.stated.version_count, known.stated.licences) == (1, 0)
    assert known.home == world.a.registry.address
    with pytest.raises(ModelAway):
        await world.a.registry.foreign(model.model_id)


async def test_the_licences_that_burden_a_model_are_counted_abroad(
    world: World, model: ModelUri
) -> None:
    signer, market = world.publisher.identity.signer, world.a.market
    consumers = [Account(world.a.id, bytes([n]) * 20) for n in (1, 2, 3)]
    for consumer in consumers:
        await world.a.submit(market.grant(model.model_id, "1.0.0", consumer), signer)
    first = await market.licence(model.model_id, "1.0.0", consumers[0])
    await world.a.submit(market.revoke(first.licence_id), signer)
    tally = await market.tally(model.model_id)
    await mover(world, model)(world.b)

    known = await world.b.registry.foreign(model.model_id)
    assert (known.stated.licences, known.stated.licence_digest) == tally
    told = [
        (each.fact.licence_id, isinstance(each.fact, GrantedLicence))
        for each in await world.a.registry.history(model.model_id)
        if isinstance(each.fact, GrantedLicence | RevokedLicence)
    ]
    assert tally == (2, licence_digest(told))
    assert licence_digest(told[1:]) != tally[1] != licence_digest(told[:-1])
    second = await market.licence(model.model_id, "1.0.0", consumers[1])
    with pytest.raises(NotAllowed):
        await world.a.submit(market.revoke(second.licence_id), signer)
    assert second.live


async def test_a_transfer_waits_until_it_lies_as_deep_as_was_asked(
    world: World, model: ModelUri
) -> None:
    account = world.publisher.identity.account(world.b.id)
    impatient = replace(world.publisher, carry=world.carry, wait_seconds=1.0)
    with pytest.raises(StillInFlight):
        await transfer(impatient, model, to=world.b.id, recipient=account, min_depth=40)
    assert not (await world.relayer.step()).did_anything
    for _ in range(40):
        await world.a.chain.rpc.ask("evm_mine")
    done = await transfer(world.publisher, model, to=world.b.id, recipient=account, min_depth=40)
    assert (await follow(world.publisher, model)).last.ledger == done.destination == world.b.id


async def test_a_transfer_that_never_lies_deep_enough_is_refunded(
    world: World, model: ModelUri
) -> None:
    account = world.publisher.identity.account(world.b.id)
    late = replace(world.publisher, carry=lambda: world.carry_late(world.b, 61))
    with pytest.raises(TransferRefunded):
        await transfer(
            late, model, to=world.b.id, recipient=account, timeout_seconds=60, min_depth=9_000
        )
    held = (await follow(world.publisher, model)).last
    assert held.owner == world.publisher.identity.account(world.a.id)
