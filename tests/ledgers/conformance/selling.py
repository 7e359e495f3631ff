"""Prices and purchases, on ledgers that have a coin; and what those refuse that have none."""

from __future__ import annotations

import pytest

from caimi.errors.ledgers import AlreadyBought, InsufficientFunds, NotOffered, PriceChanged
from caimi.ledgers.port import LedgerId, Price, offered
from conformance.facet import ELSEWHERE, Facet
from conformance.site import MemoryOutbox, World

PRICE = 5_000


class SellingFacet(Facet):
    """The half of the port's `Market` that takes a coin."""

    async def offered(self, world: World, amount: int = PRICE) -> bytes:
        assert world.site.has_coin
        model_id = await world.published()
        prices = [Price(world.ledger.id, b"", amount), Price(ELSEWHERE, b"", 7)]
        # On ledgers whose accounts are of one shape, one can be paid elsewhere only in theirs.
        await world.ledger.submit(world.ledger.market.set_prices(model_id, prices), world.alice)
        return model_id

    async def test_a_price_holds_per_ledger_until_it_is_withdrawn(self, world: World):
        market = world.ledger.market
        model_id = await self.offered(world)
        assert await market.price(model_id, world.ledger.id) == PRICE
        assert await market.price(model_id, ELSEWHERE) == 7
        assert await market.price(model_id, LedgerId("local:nowhere")) is None
        await world.ledger.submit(
            market.set_prices(model_id, [Price(ELSEWHERE, b"", 0, offered=False)]), world.alice
        )
        assert await market.price(model_id, ELSEWHERE) is None

    async def test_a_bought_licence_is_live_and_its_price_is_paid_out(self, world: World):
        market = world.ledger.market
        model_id = await self.offered(world)
        consumer = world.account(world.bob)
        assert not (await market.licence(model_id, "1.0.0", consumer)).live
        done = await world.ledger.submit(market.buy(model_id, "1.0.0", b"", PRICE), world.bob)
        licence = await market.licence(model_id, "1.0.0", consumer)
        assert licence.live
        assert licence.granted_at == done.time
        assert done.effect == licence.licence_id
        assert await market.owed(world.account(world.alice)) == PRICE
        held = await world.ledger.balance(world.account(world.alice))
        paid = await world.ledger.submit(market.withdraw(world.account(world.alice)), world.alice)
        assert await world.ledger.balance(world.account(world.alice)) == held + PRICE - paid.fee
        assert await market.owed(world.account(world.alice)) == 0
        await world.ledger.submit(market.revoke(licence.licence_id), world.alice)
        assert not (await market.licence(model_id, "1.0.0", consumer)).live

    async def test_buying_twice_is_refused(self, world: World):
        model_id = await self.offered(world)
        buy = world.ledger.market.buy(model_id, "1.0.0", b"", PRICE)
        await world.ledger.submit(buy, world.bob)
        held = await world.ledger.balance(world.account(world.bob))
        with pytest.raises(AlreadyBought):
            await world.ledger.submit(buy, world.bob)
        assert await world.ledger.balance(world.account(world.bob)) == held

    async def test_a_price_that_changed_since_it_was_quoted_is_named(self, world: World):
        model_id = await self.offered(world)
        buy = world.ledger.market.buy(model_id, "1.0.0", b"", PRICE)
        await self.reprice(world, model_id, 2 * PRICE)
        with pytest.raises(PriceChanged, match=str(2 * PRICE)):
            await world.ledger.submit(buy, world.bob)

    async def test_a_price_that_changes_after_signing_fails_on_the_ledger_by_name(
        self, world: World
    ):
        model_id = await self.offered(world)
        buy = world.ledger.market.buy(model_id, "1.0.0", b"", PRICE)
        signed = await world.ledger.sign(buy, world.bob)
        await self.reprice(world, model_id, 2 * PRICE)
        with pytest.raises(PriceChanged, match="in transaction") as failure:
            await world.ledger.broadcast(signed)
        assert failure.value.tx == signed.tx

    async def test_a_failed_purchase_is_made_anew_once_it_is_final(self, world: World):
        outbox = MemoryOutbox()
        model_id = await self.offered(world)
        buy = world.ledger.market.buy(model_id, "1.0.0", b"", PRICE)
        await outbox.record("buy", await world.ledger.sign(buy, world.bob))
        await self.reprice(world, model_id, 2 * PRICE)
        with pytest.raises(PriceChanged):
            await world.ledger.submit(buy, world.bob, outbox=outbox, key="buy")
        await self.reprice(world, model_id, PRICE)
        done = await world.ledger.submit(buy, world.bob, outbox=outbox, key="buy")
        assert done.tx == outbox.entries["buy#1"].tx
        assert await world.ledger.market.owed(world.account(world.alice)) == PRICE

    async def test_coins_change_hands_and_never_more_than_there_are(self, world: World):
        ledger, alice, bob = world.ledger, world.alice, world.bob
        before = await ledger.balance(world.account(bob))
        await ledger.transfer_coins(world.account(bob), 5, alice)
        assert await ledger.balance(world.account(bob)) == before + 5
        held = await ledger.balance(world.account(alice))
        with pytest.raises(InsufficientFunds):
            await ledger.transfer_coins(world.account(bob), held + 1, alice)

    async def reprice(self, world: World, model_id: bytes, amount: int) -> None:
        call = world.ledger.market.set_prices(model_id, [Price(world.ledger.id, b"", amount)])
        await world.ledger.submit(call, world.alice)


class CoinlessFacet(Facet):
    """What a ledger without a coin refuses by name."""

    async def test_there_is_nothing_to_hold_or_to_send(self, world: World):
        assert not world.site.has_coin
        ledger, alice, bob = world.ledger, world.alice, world.bob
        with pytest.raises(NotOffered):
            await ledger.balance(world.account(alice))
        with pytest.raises(NotOffered):
            await ledger.work_price()
        with pytest.raises(NotOffered):
            await ledger.transfer_coins(world.account(bob), 1, alice)
        assert ledger.fees is None
        with pytest.raises(NotOffered, match="fees for relayers"):
            offered(ledger.fees, ledger.id, "fees for relayers")

    async def test_nothing_is_priced_bought_or_paid_out(self, world: World):
        ledger, market = world.ledger, world.ledger.market
        model_id = await world.published()
        for who, call in (
            (world.alice, market.set_prices(model_id, [Price(ledger.id, b"", 5)])),
            (world.alice, market.set_prices(model_id, [Price(ELSEWHERE, b"", 5)])),
            (world.bob, market.buy(model_id, "1.0.0", b"", 5)),
            (world.bob, await market.buy_remote("c-0", model_id, "1.0.0", b"", 5, 2**40)),
            (world.alice, market.withdraw(world.account(world.alice))),
        ):
            with pytest.raises(NotOffered):
                await ledger.submit(call, who)
        with pytest.raises(NotOffered):
            await market.relay_deposit()
        assert await market.price(model_id, ledger.id) is None
        consumer = world.account(world.bob)
        assert not (await market.licence(model_id, "1.0.0", consumer)).live
