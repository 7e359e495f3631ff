"""Prices and purchases, on ledgers that have a coin; and what those refuse that have none."""

from __future__ import annotations

import pytest

from caimi.errors.ledgers import (
    AlreadyBought,
    CallInvalid,
    InsufficientFunds,
    NotAllowed,
    NotOffered,
    PriceChanged,
)
from caimi.ledgers.port import FINAL, Account, Asset, Exactly, LedgerId, Price, Signer, offered
from conformance.facet import ELSEWHERE, Facet
from conformance.site import MemoryOutbox, World

PRICE = 5_000
PAID_ELSEWHERE = Account(ELSEWHERE, b"carol")
TOKEN = Asset(ELSEWHERE, b"gold of elsewhere")


class SellingFacet(Facet):
    """The half of the port's `Market` that takes a coin."""

    async def offered(self, world: World, amount: int = PRICE) -> bytes:
        assert world.site.has_coin
        model_id = await world.published()
        prices = [
            Price(world.coin.of(amount), world.account(await self.payee(world))),
            Price(Asset(ELSEWHERE, b"").of(7), PAID_ELSEWHERE),
            Price(TOKEN.of(8), PAID_ELSEWHERE),
        ]
        await world.ledger.submit(world.ledger.market.set_prices(model_id, prices), world.alice)
        return model_id

    async def payee(self, world: World) -> Signer:
        """Give who is paid: neither who sells nor who buys."""
        return await world.person("carol")

    async def test_a_price_holds_per_ledger_until_it_is_withdrawn(self, world: World):
        market, there = world.ledger.market, Asset(ELSEWHERE, b"")
        model_id, payee = await self.offered(world), world.account(await self.payee(world))
        assert await market.price(model_id, world.coin) == Price(world.coin.of(PRICE), payee)
        assert await market.price(model_id, there) == Price(there.of(7), PAID_ELSEWHERE)
        assert await market.price(model_id, TOKEN) == Price(TOKEN.of(8), PAID_ELSEWHERE)
        assert await market.price(model_id, Asset(LedgerId("local:nowhere"), b"")) is None
        withdrawn = Price(there.of(0), PAID_ELSEWHERE, offered=False)
        await world.ledger.submit(market.set_prices(model_id, [withdrawn]), world.alice)
        assert await market.price(model_id, there) is None
        assert await market.price(model_id, TOKEN) is not None

    async def test_a_reader_who_did_not_buy_has_the_licence(self, world: World):
        market, ledger = world.ledger.market, world.ledger
        model_id, reader = await self.offered(world), world.account(world.alice)
        buy = market.buy(model_id, "1.0.0", world.coin.of(PRICE), reader)
        done = await ledger.submit(buy, world.bob)
        licence = await market.licence(model_id, "1.0.0", reader)
        assert licence.live
        assert done.effect == licence.licence_id
        assert not (await market.licence(model_id, "1.0.0", world.account(world.bob))).live
        assert (await market.owed(world.account(await self.payee(world)))).units == PRICE

    async def test_a_reader_elsewhere_is_nobody_here(self, world: World):
        model_id = await self.offered(world)
        with pytest.raises(CallInvalid):
            world.ledger.market.buy(model_id, "1.0.0", world.coin.of(PRICE), PAID_ELSEWHERE)

    async def test_a_bought_licence_is_live_and_its_price_is_paid_out(self, world: World):
        market = world.ledger.market
        model_id = await self.offered(world)
        consumer = world.account(world.bob)
        payee = await self.payee(world)
        paid_to = world.account(payee)
        assert not await market.owed(paid_to)
        assert not (await market.licence(model_id, "1.0.0", consumer)).live
        done = await world.ledger.submit(
            market.buy(model_id, "1.0.0", world.coin.of(PRICE)), world.bob
        )
        licence = await market.licence(model_id, "1.0.0", consumer)
        assert licence.live
        assert licence.granted_at == done.time
        assert done.effect == licence.licence_id
        assert (await market.owed(world.account(world.alice))).units == 0
        assert (await market.owed(paid_to)).units == PRICE
        held = (await world.ledger.coins.balance(paid_to)).units
        paid = await world.ledger.submit(market.withdraw(paid_to), payee)
        balance = await world.ledger.coins.balance(paid_to)
        assert balance.units == held + PRICE - paid.fee.units
        assert (await market.owed(paid_to)).units == 0
        await world.ledger.submit(market.revoke(licence.licence_id), world.alice)
        assert not (await market.licence(model_id, "1.0.0", consumer)).live

    async def test_buying_twice_is_refused(self, world: World):
        model_id = await self.offered(world)
        buy = world.ledger.market.buy(model_id, "1.0.0", world.coin.of(PRICE))
        await world.ledger.submit(buy, world.bob)
        held = (await world.ledger.coins.balance(world.account(world.bob))).units
        with pytest.raises(AlreadyBought):
            await world.ledger.submit(buy, world.bob)
        assert (await world.ledger.coins.balance(world.account(world.bob))).units == held

    async def test_a_price_that_changed_since_it_was_quoted_is_named(self, world: World):
        model_id = await self.offered(world)
        buy = world.ledger.market.buy(model_id, "1.0.0", world.coin.of(PRICE))
        await self.reprice(world, model_id, 2 * PRICE)
        with pytest.raises(PriceChanged, match=str(2 * PRICE)):
            await world.ledger.submit(buy, world.bob)

    async def test_a_price_that_changes_after_signing_fails_on_the_ledger_by_name(
        self, world: World
    ):
        model_id = await self.offered(world)
        buy = world.ledger.market.buy(model_id, "1.0.0", world.coin.of(PRICE))
        signed = await world.ledger.sign(buy, world.bob)
        await self.reprice(world, model_id, 2 * PRICE)
        with pytest.raises(PriceChanged, match="in transaction") as failure:
            await world.ledger.broadcast(signed)
        assert failure.value.tx == signed.tx

    async def test_a_failed_purchase_is_made_anew_once_it_is_final(self, world: World):
        outbox = MemoryOutbox()
        model_id = await self.offered(world)
        buy = world.ledger.market.buy(model_id, "1.0.0", world.coin.of(PRICE))
        await outbox.record("buy", await world.ledger.sign(buy, world.bob))
        await self.reprice(world, model_id, 2 * PRICE)
        with pytest.raises(PriceChanged):
            await world.ledger.submit(buy, world.bob, outbox=outbox, key="buy")
        await self.reprice(world, model_id, PRICE)
        done = await world.ledger.submit(buy, world.bob, outbox=outbox, key="buy")
        assert done.tx == outbox.entries["buy#1"].tx
        payee = world.account(await self.payee(world))
        assert (await world.ledger.market.owed(payee)).units == PRICE

    async def test_coins_change_hands_and_never_more_than_there_are(self, world: World):
        ledger, alice, bob = world.ledger, world.alice, world.bob
        before = (await ledger.coins.balance(world.account(bob))).units
        await ledger.submit(
            ledger.coins.transfer(world.account(bob), ledger.coins.asset.of(5)), alice
        )
        assert (await ledger.coins.balance(world.account(bob))).units == before + 5
        held = (await ledger.coins.balance(world.account(alice))).units
        with pytest.raises(InsufficientFunds):
            await ledger.submit(
                ledger.coins.transfer(world.account(bob), ledger.coins.asset.of(held + 1)), alice
            )

    async def test_what_an_account_had_is_told_of_the_state_that_is_asked_for(self, world: World):
        ledger, alice, bob = world.ledger, world.alice, world.bob
        before = (await ledger.coins.balance(world.account(bob))).units
        done = await ledger.submit(
            ledger.coins.transfer(world.account(bob), ledger.coins.asset.of(5)), alice
        )
        told = [
            (await ledger.coins.balance(world.account(bob), Exactly(done.height - back))).units
            for back in (0, 1)
        ]
        assert told == [before + 5, before]
        await ledger.wait_final(done.height)
        assert (await ledger.coins.balance(world.account(bob), FINAL)).units == before + 5

    async def test_what_is_no_asset_of_the_ledger_is_not_paid_with_on_it(self, world: World):
        model_id, market = await self.offered(world), world.ledger.market
        foreign = Asset(ELSEWHERE, b"")
        for build in (
            lambda: market.buy(model_id, "1.0.0", foreign.of(PRICE)),
            lambda: market.withdraw(world.account(world.alice), foreign),
            lambda: world.ledger.coins.transfer(world.account(world.bob), foreign.of(1)),
        ):
            with pytest.raises(CallInvalid):
                build()

    async def reprice(self, world: World, model_id: bytes, amount: int) -> None:
        price = Price(world.coin.of(amount), world.account(await self.payee(world)))
        call = world.ledger.market.set_prices(model_id, [price])
        await world.ledger.submit(call, world.alice)


class CoinlessFacet(Facet):
    """What a ledger without a coin refuses by name."""

    async def test_there_is_nothing_to_hold_or_to_send(self, world: World):
        assert not world.site.has_coin
        ledger, alice = world.ledger, world.account(world.alice)
        with pytest.raises(NotOffered, match=r"coin|holds"):
            await offered(ledger.coins, ledger.id, "coin").balance(alice)
        with pytest.raises(NotOffered, match=r"coin|holds"):
            offered(ledger.coins, ledger.id, "coin").transfer(alice, Asset(ledger.id, b"").of(1))
        with pytest.raises(NotOffered, match="tokens"):
            offered(ledger.tokens, ledger.id, "tokens")

    async def test_nothing_is_priced_bought_or_paid_out(self, world: World):
        ledger, market = world.ledger, world.ledger.market
        model_id = await world.published()
        price, seller = Asset(ledger.id, b"").of(5), world.account(world.alice)
        for who, call in (
            (world.alice, market.set_prices(model_id, [Price(price, seller)])),
            (world.bob, market.buy(model_id, "1.0.0", price)),
            (world.bob, await market.buy_remote("c-0", model_id, "1.0.0", price, 2**40)),
            (world.alice, market.withdraw(world.account(world.alice))),
        ):
            with pytest.raises(NotOffered):
                await ledger.submit(call, who)
        with pytest.raises(NotOffered):
            await market.relay_deposit()
        with pytest.raises(NotOffered):
            await market.owed(world.account(world.bob))
        assert await market.price(model_id, price.asset) is None
        consumer = world.account(world.bob)
        assert not (await market.licence(model_id, "1.0.0", consumer)).live

    async def test_what_is_paid_elsewhere_is_sold_all_the_same(self, world: World):
        assert not world.site.has_coin
        ledger, market = world.ledger, world.ledger.market
        model_id = await world.published()
        prices = [Price(TOKEN.of(5), PAID_ELSEWHERE)]
        with pytest.raises(NotAllowed):
            await ledger.submit(market.set_prices(model_id, prices), world.bob)
        await ledger.submit(market.set_prices(model_id, prices), world.alice)
        assert await market.price(model_id, TOKEN) == prices[0]
        withdrawn = [Price(TOKEN.of(5), PAID_ELSEWHERE, offered=False)]
        await ledger.submit(market.set_prices(model_id, withdrawn), world.alice)
        assert await market.price(model_id, TOKEN) is None
