"""Licences that are granted: what every market does, whether there is a coin or not."""

from __future__ import annotations

import pytest

from caimi.errors.ledgers import AlreadyBought, NotAllowed, UnknownVersion
from caimi.ledgers.port import Account, PurchaseState
from conformance.facet import ELSEWHERE, Facet
from conformance.site import World


class GrantingFacet(Facet):
    """The half of the port's `Market` that takes no coin."""

    async def test_a_granted_licence_is_live_until_it_is_revoked(self, world: World):
        market = world.ledger.market
        model_id = await world.published()
        consumer = world.account(world.bob)
        before = await market.licence(model_id, "1.0.0", consumer)
        assert not before.live
        assert await market.tally(model_id) == (0, bytes(24))
        granted = await world.ledger.submit(market.grant(model_id, "1.0.0", consumer), world.alice)
        licence = await market.licence(model_id, "1.0.0", consumer)
        assert licence.live
        assert licence.granted_at == granted.time
        assert granted.effect == licence.licence_id == before.licence_id
        live, digest = await market.tally(model_id)
        assert live == 1
        await world.ledger.submit(market.revoke(licence.licence_id), world.alice)
        assert (await market.licence(model_id, "1.0.0", consumer)).revoked
        assert not (await market.licence(model_id, "1.0.0", consumer)).live
        after = await market.tally(model_id)
        assert after[0] == 0
        assert len({digest, after[1], bytes(24)}) == 3

    async def test_an_owner_grants_a_licence_to_a_consumer_elsewhere(self, world: World):
        model_id = await world.published()
        consumer = Account(ELSEWHERE, b"someone")
        await world.ledger.submit(
            world.ledger.market.grant(model_id, "1.0.0", consumer), world.alice
        )
        assert (await world.ledger.market.licence(model_id, "1.0.0", consumer)).live

    async def test_a_licence_is_the_owners_to_give_of_a_version_there_is_and_once(
        self, world: World
    ):
        market = world.ledger.market
        model_id = await world.published()
        consumer = world.account(world.bob)
        grant = market.grant(model_id, "1.0.0", consumer)
        with pytest.raises(NotAllowed):
            await world.ledger.submit(grant, world.bob)
        with pytest.raises(UnknownVersion):
            await world.ledger.submit(market.grant(model_id, "9.9.9", consumer), world.alice)
        granted = await world.ledger.submit(grant, world.alice)
        with pytest.raises(AlreadyBought):
            await world.ledger.submit(grant, world.alice)
        with pytest.raises(NotAllowed):
            await world.ledger.submit(market.revoke(granted.effect), world.bob)

    async def test_no_purchase_is_known_before_one_is_made(self, world: World):
        market, buyer = world.ledger.market, world.account(world.bob)
        assert await market.purchase_of("caimi-1-0", b"\1" * 32, "1.0.0", buyer) is None
        assert (await market.purchase(b"\3" * 32)).state is PurchaseState.NONE
        assert await market.owed(buyer) == 0
