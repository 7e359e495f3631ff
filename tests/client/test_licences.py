"""What somebody may use is listed from all ledgers, and is what the home ledger says now."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from caimi.client.licences import licences
from caimi.client.publish import publish
from caimi.client.purchase import buy
from caimi.demo.world import World, start_world
from caimi.models.package import Package
from caimi.uri import ModelUri


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with start_world("embedded", tmp_path) as started:
        yield started


async def test_licences_of_all_ledgers_are_told_with_what_became_of_them(
    world: World, tmp_path: Path
) -> None:
    file = tmp_path / "weights.bin"
    file.write_bytes(b"weights")
    published = await publish(
        world.publisher,
        Package.from_path(file),
        ledger=world.a.id,
        name="m",
        version="1.0.0",
        price="5",
    )
    me, seller = world.consumer, world.publisher
    accounts = [me.identity.account(ledger) for ledger in me.ledgers]
    assert await licences(me, accounts) == []
    bought = await buy(me, published.uri, ledger=world.b.id)
    model = ModelUri.parse(published.uri)
    granted = world.a.market.grant(model.model_id, "1.0.0", me.identity.account(world.a.id))
    done = await world.a.submit(granted, seller.identity.signer_on(world.a.id))
    first, second = await licences(me, accounts)
    assert (first.uri, first.name, first.live) == (bought.uri, "m", True)
    assert [each.consumer for each in (first, second)] == [
        me.name(me.identity.account(ledger)) for ledger in (world.b.id, world.a.id)
    ]
    revoking = world.a.market.revoke(done.effect)
    await world.a.submit(revoking, seller.identity.signer_on(world.a.id))
    assert [each.live for each in await licences(me, accounts)] == [True, False]
    assert await licences(me, accounts[:1]) == [(await licences(me, accounts))[1]]
    assert await licences(me, [seller.identity.account(world.a.id)]) == []
