"""Reads at heights: on ledgers that keep their past, and on those that do not."""

from __future__ import annotations

import pytest

from caimi.errors.ledgers import HistoryGone
from caimi.ibc.path import Path
from caimi.ledgers.past import at_final
from caimi.ledgers.port import FINAL, NEWEST, Asset, Exactly
from conformance.facet import Facet
from conformance.site import World


class ReadingFacet(Facet):
    """What every ledger reads."""

    async def test_the_newest_state_is_that_of_the_newest_block(self, world: World):
        registry = world.ledger.registry
        model_id = await world.published()
        head = await world.ledger.head()
        newest = await registry.model(model_id, NEWEST)
        assert newest == await registry.model(model_id, Exactly(head.height))

    async def test_what_is_not_final_yet_is_not_read_as_final(self, world: World):
        deep = world.site.deep(3)
        await world.site.advance(blocks=4)
        model_id = await world.published()
        height = (await deep.head()).height
        assert await deep.registry.find(model_id, FINAL) is None
        assert await deep.registry.find(model_id, NEWEST) is not None
        await world.site.advance(blocks=3)
        assert await deep.registry.find(model_id, FINAL) is not None
        found = await at_final(height, lambda at: deep.registry.find(model_id, at))
        assert found is not None
        await deep.aclose()


class PastFacet(Facet):
    """What ledgers read that keep their past."""

    async def test_each_height_shows_who_owned_a_model_then(self, world: World):
        assert world.site.keeps_past
        registry = world.ledger.registry
        model_id = await world.published()
        before = (await world.ledger.head()).height
        sold = registry.transfer(model_id, world.account(world.alice), world.account(world.bob))
        await world.ledger.submit(sold, world.alice)
        assert (await registry.model(model_id, Exactly(before))).owner == world.account(world.alice)
        assert (await registry.model(model_id)).owner == world.account(world.bob)

    async def test_a_licence_is_live_from_its_block_on(self, world: World):
        market = world.ledger.market
        model_id = await world.published()
        before = (await world.ledger.head()).height
        consumer = world.account(world.bob)
        await world.ledger.submit(market.grant(model_id, "1.0.0", consumer), world.alice)
        assert (await market.licence(model_id, "1.0.0", consumer)).live
        assert not (await market.licence(model_id, "1.0.0", consumer, at=Exactly(before))).live


class NoPastFacet(Facet):
    """What ledgers refuse that keep no past."""

    async def test_a_height_that_is_past_is_gone_for_every_facet(self, world: World):
        assert not world.site.keeps_past
        ledger, account = world.ledger, world.account(world.alice)
        model_id = await world.published()
        past = Exactly((await ledger.head()).height)
        await world.site.advance()
        for read in (
            lambda: ledger.registry.model(model_id, past),
            lambda: ledger.registry.find(model_id, past),
            lambda: ledger.registry.foreign(model_id, past),
            lambda: ledger.registry.versions(model_id, past),
            lambda: ledger.registry.version(model_id, "1.0.0", past),
            lambda: ledger.registry.alias(model_id, "stable", past),
            lambda: ledger.registry.alias_history(model_id, "stable", past),
            lambda: ledger.registry.batch(1, past),
            lambda: ledger.market.tally(model_id, past),
            lambda: ledger.market.purchase(b"\1" * 32, past),
            lambda: ledger.market.purchase_of("c-0", model_id, "1.0.0", account, at=past),
            lambda: ledger.bridge.came_by(model_id, past),
            lambda: ledger.gateway.committee("c-0", past),
            lambda: ledger.market.licence(model_id, "1.0.0", account, past),
            lambda: ledger.market.price(model_id, Asset(ledger.id, b""), at=past),
            lambda: ledger.market.owed(account, at=past),
            lambda: ledger.bridge.lock(model_id, past),
            lambda: ledger.gateway.commitments([Path.commitment("c-0", 1)], past),
            lambda: ledger.gateway.receipts([("c-0", 1)], past),
            lambda: ledger.receipts.anchored(account, b"\1" * 32, past),
        ):
            with pytest.raises(HistoryGone):
                await read()

    async def test_what_was_final_is_read_as_it_is_final_now(self, world: World):
        model_id = await world.published()
        height = (await world.ledger.head()).height
        await world.site.advance(blocks=5)
        found = await at_final(height, lambda at: world.ledger.registry.find(model_id, at))
        assert found is not None
