"""Licences are priced, bought, refunded and withdrawn in tokens; no token takes more than that."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import pytest_asyncio
from mortal import Killed, mortal_journal

from caimi.client.assets import Assets
from caimi.client.catalogue import search, show
from caimi.client.context import Context
from caimi.client.money import balances, dues, withdraw
from caimi.client.pricing import prices_of, set_price, withdraw_price
from caimi.client.publish import publish
from caimi.client.purchase import buy
from caimi.demo.world import World, start_world
from caimi.errors.ledgers import InsufficientFunds, NotAllowed, TokenUnusable, TransactionReverted
from caimi.errors.operations import (
    AlreadyLicensed,
    AssetMismatch,
    AssetUnknown,
    BegunOtherwise,
    NotForSale,
    PriceAboveLimit,
    PurchaseRefunded,
    StillInFlight,
    UsageError,
)
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.port import Account, Asset, Ledger
from caimi.models.package import Package
from caimi.persistence import journal_in
from token_contracts import Token, make_token

pytestmark = pytest.mark.asyncio(loop_scope="module")

PRICE = 12_500_000
MUCH = 10**12
STEPS = 60


@dataclass
class Shop:
    """A world whose seller and buyer know one token on A and another of that symbol on B."""

    world: World
    tokens: dict[str, Token]

    def person(self, context: Context, *more: Asset) -> Context:
        known = [each.asset for each in self.tokens.values()]
        return replace(context, assets=Assets([*known, *more]))

    @property
    def seller(self) -> Context:
        return self.person(self.world.publisher)

    @property
    def buyer(self) -> Context:
        return self.person(self.world.consumer)

    def account(self, ledger: Ledger) -> Account:
        return self.world.consumer.identity.account(ledger.id)

    async def new(self, ledger: EvmLedger, kind: str, symbol: str = "") -> Token:
        maker = self.world.publisher.identity.signer_on(ledger.id)
        token = await make_token(ledger, maker, kind, symbol)
        await token.do("mint", self.account(ledger).native, MUCH)
        return token


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    async with start_world("embedded", tmp_path_factory.mktemp("world")) as world:
        shop = Shop(world, {})
        for name in ("a", "b"):
            shop.tokens[name] = await shop.new(getattr(world, name), "TestToken", "EURX")
        yield shop


async def model(
    shop: Shop, folder: Path, name: str, price: str | None = "12.50", asset: str | None = "EURX"
) -> str:
    file = folder / "model.bin"
    file.write_bytes(name.encode())
    done = await publish(
        shop.seller,
        Package.from_path(file),
        ledger=shop.world.a.id,
        name=f"{folder.name[5:40].strip('_')}-{name}".lower(),
        version="1.0.0",
    )
    if price is not None:
        await set_price(shop.seller, done.uri, price, (), asset)
    return done.uri


async def test_a_price_is_told_in_its_asset(shop: Shop, tmp_path: Path) -> None:
    uri = await model(shop, tmp_path, "m")
    await set_price(shop.seller, uri, "5")
    told = await prices_of(replace(shop.buyer, keys=None), uri)
    a, b, c = (each.id for each in (shop.world.a, shop.world.b, shop.world.c))
    assert {(each.ledger, each.said, each.units) for each in told.prices} == {
        (a, "5 coin", str(5 * 10**18)),
        (a, "12.5 EURX", str(PRICE)),
        (b, "5 coin", str(5 * 10**18)),
        (b, "12.5 EURX", str(PRICE)),
        (c, "5 coin", str(5 * 10**18)),
    }
    assert (await show(shop.buyer, uri)).prices == told.prices
    name = (await show(shop.buyer, uri)).name
    (found,) = await search(shop.buyer, name)
    assert found.prices == told.prices
    (found,) = await search(shop.world.consumer, name)
    assert {each.symbol for each in found.prices} == {"coin"}


async def test_a_price_is_asked_on_one_ledger_alone(shop: Shop, tmp_path: Path) -> None:
    uri = await model(shop, tmp_path, "m", None)
    a, b, c = (each.id for each in (shop.world.a, shop.world.b, shop.world.c))
    await set_price(shop.seller, uri, "7", on=b)
    done = await set_price(shop.seller, uri, "3", (), "EURX", on=a)
    assert [(each.ledger, each.said) for each in done.prices] == [(a, "3 EURX")]
    told = await prices_of(shop.buyer, uri)
    assert [(each.ledger, each.said) for each in told.prices] == [(a, "3 EURX"), (b, "7 coin")]
    assert told.unpriced == (c,)
    with pytest.raises(AssetUnknown):
        await set_price(shop.seller, uri, "3", (), "EURX", on=c)


async def test_a_model_is_published_at_a_price_in_a_token(shop: Shop, tmp_path: Path) -> None:
    file = tmp_path / "model.bin"
    file.write_bytes(b"w")
    what = {"ledger": shop.world.a.id, "name": "priced-in-a-token", "version": "1.0.0"}
    with pytest.raises(AssetUnknown):
        await publish(shop.seller, Package.from_path(file), price="2", asset="USDX", **what)
    done = await publish(shop.seller, Package.from_path(file), price="2", asset="EURX", **what)
    told = await prices_of(shop.buyer, done.uri)
    assert [each.said for each in told.prices] == ["2 EURX", "2 EURX"]


@pytest.mark.parametrize(
    ("symbol", "on", "left"),
    [
        (None, None, []),
        ("EURX", None, ["a coin", "b coin", "c coin"]),
        ("coin", None, ["a EURX", "b EURX"]),
        (None, "b", ["a coin", "a EURX", "c coin"]),
        ("EURX", "b", ["a coin", "a EURX", "b coin", "c coin"]),
        ("EURX", "c", ["a coin", "a EURX", "b coin", "b EURX", "c coin"]),
    ],
)
async def test_what_is_taken_off_sale_is_bought_no_more_and_the_rest_is(
    shop: Shop, tmp_path: Path, symbol: str | None, on: str | None, left: list[str]
) -> None:
    uri = await model(shop, tmp_path, "m")
    await set_price(shop.seller, uri, "5")
    names = {getattr(shop.world, name).id: name for name in "abc"}
    where = None if on is None else getattr(shop.world, on).id
    done = await withdraw_price(shop.seller, uri, symbol, on=where)
    now = await prices_of(shop.buyer, uri)
    assert [f"{names[each.ledger]} {each.symbol}" for each in now.prices] == left
    assert done.prices == now.prices
    assert len(done.withdrawn) == 5 - len(left)
    if not left:
        with pytest.raises(NotForSale):
            await buy(shop.buyer, uri, ledger=shop.world.a.id)
    assert (await withdraw_price(shop.seller, uri, symbol, on=where)).withdrawn == ()
    await set_price(shop.seller, uri, "6")
    assert [each.amount for each in (await prices_of(shop.buyer, uri)).prices].count("6") == 3


async def test_a_price_in_a_token_that_is_not_configured_any_more_is_withdrawn_too(
    shop: Shop, tmp_path: Path
) -> None:
    uri = await model(shop, tmp_path, "m")
    unaware = replace(shop.seller, assets=Assets())
    assert (await prices_of(unaware, uri)).prices == ()
    done = await withdraw_price(unaware, uri)
    assert [each.units for each in done.withdrawn] == [str(PRICE)] * 2
    assert (await prices_of(shop.buyer, uri)).prices == ()


async def test_a_price_that_is_asked_after_a_killed_withdrawal_counts(
    shop: Shop, tmp_path: Path
) -> None:
    uri, killed = await model(shop, tmp_path, "m"), 0
    for step in range(STEPS):
        path, over = tmp_path / f"{step}.sqlite", True
        journal = mortal_journal(path, step)
        try:
            await withdraw_price(replace(shop.seller, journal=journal), uri)
            assert (await prices_of(shop.buyer, uri)).prices == ()
        except Killed:
            killed, over = killed + 1, False
        finally:
            journal.close()
        again = replace(shop.seller, journal=journal_in(path))
        await set_price(again, uri, str(step + 1), (), "EURX")
        again.journal.close()
        now = (await prices_of(shop.buyer, uri)).prices
        assert [each.said for each in now] == [f"{step + 1} EURX"] * 2
        if over:
            assert killed > 2
            return
    raise AssertionError("it never completed")


async def test_nobody_else_takes_a_model_off_sale(shop: Shop, tmp_path: Path) -> None:
    uri = await model(shop, tmp_path, "m")
    with pytest.raises(NotAllowed):
        await withdraw_price(shop.buyer, uri)
    assert len((await prices_of(shop.buyer, uri)).prices) == 2


@pytest.mark.parametrize("where", ["a", "b"])
async def test_a_licence_is_bought_in_a_token_and_the_seller_paid_out(
    shop: Shop, tmp_path: Path, where: str
) -> None:
    paying, token = getattr(shop.world, where), shop.tokens[where]
    account, seller = shop.account(paying), shop.world.publisher.identity.account(paying.id)
    uri = await model(shop, tmp_path, where)
    before, earned = await token.units(account), await token.units(seller)
    bought = await buy(shop.buyer, uri, ledger=paying.id, asset="EURX", max_price="13")
    assert (bought.price, bought.symbol) == ("12.5", "EURX")
    assert await token.units(account) == before - PRICE
    assert await token.allowed(account) == 0
    (due,), unread = await dues([(paying, seller)], shop.seller.assets)
    assert (due.amount, due.symbol, due.units, unread) == ("12.5", "EURX", str(PRICE), [])
    (paid,) = await withdraw(shop.seller, [paying])
    assert (paid.amount, paid.symbol) == ("12.5", "EURX")
    held, _ = await balances([(paying, seller)], shop.seller.assets)
    assert [each.symbol for each in held] == ["coin", "EURX"]
    assert await token.units(seller) == earned + PRICE == int(held[1].units)
    with pytest.raises(AlreadyLicensed):
        await buy(shop.buyer, uri, ledger=paying.id, asset="EURX")


async def test_a_purchase_that_fails_comes_back_in_its_token(shop: Shop, tmp_path: Path) -> None:
    uri, token, b = await model(shop, tmp_path, "m"), shop.tokens["b"], shop.world.b
    before = await token.units(shop.account(b))

    async def dearer_then_carry() -> None:
        await set_price(shop.seller, uri, "20", (), "EURX")
        await shop.world.carry()

    with pytest.raises(PurchaseRefunded, match=r"12\.5 EURX came back"):
        await buy(replace(shop.buyer, carry=dearer_then_carry), uri, ledger=b.id, asset="EURX")
    assert await token.units(shop.account(b)) == before
    assert (await b.market.owed(shop.account(b), token.asset)).units == 0
    assert await token.allowed(shop.account(b)) == 0


@pytest.mark.parametrize("where", ["a", "b"])
async def test_a_purchase_killed_at_any_point_pays_once_and_leaves_nothing_allowed(
    shop: Shop, tmp_path: Path, where: str
) -> None:
    paying, token = getattr(shop.world, where), shop.tokens[where]
    account = shop.account(paying)
    for step in range(STEPS):
        uri = await model(shop, tmp_path, f"{where}{step}")
        before, path = await token.units(account), tmp_path / f"journal-{step}.sqlite"
        journal, over = mortal_journal(path, step), True
        try:
            await buy(replace(shop.buyer, journal=journal), uri, ledger=paying.id, asset="EURX")
        except Killed:
            over = False
        finally:
            journal.close()
        again = replace(shop.buyer, journal=journal_in(path))
        try:
            await buy(again, uri, ledger=paying.id, asset="EURX")
        except AlreadyLicensed:
            assert over
        again.journal.close()
        assert await token.units(account) == before - PRICE
        assert await token.allowed(account) == 0
        if over:
            return
    raise AssertionError("it never completed")


async def test_what_a_killed_purchase_had_allowed_is_never_added_to(
    shop: Shop, tmp_path: Path
) -> None:
    a, token = shop.world.a, shop.tokens["a"]
    account, other = shop.account(a), await model(shop, tmp_path, "other", "3")
    left = set()
    for step in range(STEPS):
        uri, path = await model(shop, tmp_path, f"m{step}"), tmp_path / f"{step}.sqlite"
        journal = mortal_journal(path, step)
        try:
            await buy(replace(shop.buyer, journal=journal), uri, ledger=a.id, asset="EURX")
            break
        except Killed:
            left.add(await token.allowed(account))
        finally:
            journal.close()
        again = replace(shop.buyer, journal=journal_in(path))
        before = await token.units(account)
        try:
            await buy(again, other, ledger=a.id, asset="EURX")
        except AlreadyLicensed:
            other = await model(shop, tmp_path, f"other{step}", "3")
            await buy(again, other, ledger=a.id, asset="EURX")
        again.journal.close()
        assert before - await token.units(account) in (3_000_000, 3_000_000 + PRICE)
        assert await token.allowed(account) == 0
    assert left == {0, PRICE}


async def test_a_token_that_changes_allowances_by_way_of_nothing_only_is_paid_in(
    shop: Shop, tmp_path: Path
) -> None:
    a = shop.world.a
    token = await shop.new(a, "TetherLikeToken")
    signer = shop.world.consumer.identity.signer_on(a.id)
    await a.submit(a.tokens.allow(token.asset.of(7)), signer)
    buyer, seller = (
        shop.person(each, token.asset) for each in (shop.world.consumer, shop.world.publisher)
    )
    uri = await model(shop, tmp_path, "m", None)
    await set_price(seller, uri, "1", (), "USDX")
    await buy(buyer, uri, ledger=a.id, asset="USDX")
    assert await token.units(shop.account(a)) == MUCH - 10**6
    assert await token.allowed(shop.account(a)) == 0


async def test_a_token_that_keeps_no_allowance_takes_nothing(shop: Shop, tmp_path: Path) -> None:
    a = shop.world.a
    token = await shop.new(a, "ForgetfulToken")
    buyer, seller = (
        shop.person(each, token.asset) for each in (shop.world.consumer, shop.world.publisher)
    )
    uri = await model(shop, tmp_path, "m", None)
    await set_price(seller, uri, "1", (), "FGTX")
    with pytest.raises(TokenUnusable, match="FGTX"):
        await buy(buyer, uri, ledger=a.id, asset="FGTX")
    assert await token.units(shop.account(a)) == MUCH


async def test_a_token_that_is_renamed_or_counts_otherwise_is_paid_no_more(
    shop: Shop, tmp_path: Path
) -> None:
    a = shop.world.a
    token = await shop.new(a, "TestToken", "CHGX")
    seller = shop.person(shop.world.publisher, token.asset)
    uri = await model(shop, tmp_path, "m", None)
    await set_price(seller, uri, "1", (), "CHGX")
    for symbol, decimals in (("CHGX", 18), ("EVIL", 6), ("", 6), ("\x1b[2J", 6), ("x" * 65, 6)):
        await token.do("rename", symbol, decimals)
        buyer = shop.person(shop.world.consumer, token.asset)
        for asked in (
            buy(buyer, uri, ledger=a.id, asset="CHGX"),
            prices_of(buyer, uri),
            show(buyer, uri),
            set_price(shop.person(shop.world.publisher, token.asset), uri, "1", (), "CHGX"),
        ):
            with pytest.raises((AssetMismatch, TokenUnusable)) as refusal:
                await asked
            assert "\x1b" not in str(refusal.value)
        held, unread = await balances([(a, shop.account(a))], buyer.assets)
        assert [each.symbol for each in held] == ["coin", "EURX"]
        assert len(unread) == 1
    assert await token.units(shop.account(a)) == MUCH
    assert await token.allowed(shop.account(a)) == 0


async def test_what_is_no_token_is_named_before_anything_is_sent(
    shop: Shop, tmp_path: Path
) -> None:
    a = shop.world.a
    for native in (b"\x77" * 20, a.deployment.contracts["registry"]):
        buyer = shop.person(shop.world.consumer, Asset(a.id, native, "NONE", 6))
        with pytest.raises((TokenUnusable, AssetMismatch)):
            await buy(buyer, await model(shop, tmp_path, "m"), ledger=a.id, asset="NONE")


async def test_terms_in_a_token_hold(shop: Shop, tmp_path: Path) -> None:
    uri, a, token = await model(shop, tmp_path, "m"), shop.world.a, shop.tokens["a"]
    before = await token.units(shop.account(a))
    with pytest.raises(PriceAboveLimit, match=r"12\.5 EURX"):
        await buy(shop.buyer, uri, ledger=a.id, asset="EURX", max_price="12.499999")
    with pytest.raises(UsageError):
        await buy(shop.buyer, uri, ledger=a.id, asset="EURX", max_price="12.4999999")
    with pytest.raises(AssetUnknown, match="coin, EURX"):
        await buy(shop.buyer, uri, ledger=a.id, asset="USDX")
    with pytest.raises(AssetUnknown, match="coin, EURX"):
        await set_price(shop.seller, uri, "1", (), "USDX")
    with pytest.raises(NotForSale) as refusal:
        await buy(shop.buyer, uri, ledger=a.id)
    assert "12.5 EURX" in refusal.value.next_step
    await set_price(shop.seller, uri, str(MUCH), (), "EURX")
    with pytest.raises(InsufficientFunds, match="EURX"):
        await buy(shop.buyer, uri, ledger=a.id, asset="EURX")
    assert (await token.units(shop.account(a)), await token.allowed(shop.account(a))) == (before, 0)


async def test_a_purchase_begun_in_one_asset_is_not_finished_in_another(
    shop: Shop, tmp_path: Path
) -> None:
    uri, b = await model(shop, tmp_path, "m"), shop.world.b
    await set_price(shop.seller, uri, "5")
    stuck = replace(shop.buyer, carry=_nobody, wait_seconds=0)
    with pytest.raises(StillInFlight):
        await buy(stuck, uri, ledger=b.id, asset="EURX")
    with pytest.raises(BegunOtherwise, match=r"12\.5 EURX, and not in coin"):
        await buy(shop.buyer, uri, ledger=b.id)
    elsewhere = replace(shop.buyer, journal=journal_in(tmp_path / "other.sqlite"))
    with pytest.raises(BegunOtherwise, match=r"12\.5 EURX, and not in coin"):
        await buy(elsewhere, uri, ledger=b.id)
    assert (await buy(elsewhere, uri, ledger=b.id, asset="EURX")).price == "12.5"


async def test_a_token_that_does_not_move_keeps_nothing_else_back(
    shop: Shop, tmp_path: Path
) -> None:
    a = shop.world.a
    token = await shop.new(a, "BlockingToken")
    buyer, seller = (
        shop.person(each, token.asset) for each in (shop.world.consumer, shop.world.publisher)
    )
    seller = replace(seller, assets=Assets([token.asset, shop.tokens["a"].asset]))
    uri, other = await model(shop, tmp_path, "m", None), await model(shop, tmp_path, "other")
    await set_price(seller, uri, "1", (), "BLKX")
    await buy(buyer, uri, ledger=a.id, asset="BLKX")
    await buy(shop.buyer, other, ledger=a.id, asset="EURX")
    payee = shop.world.publisher.identity.account(a.id)
    owed = (await a.market.owed(payee, shop.tokens["a"].asset)).units
    await token.do("setBlocked", payee.native, True)
    earned = await shop.tokens["a"].units(payee)
    with pytest.raises(TransactionReverted):
        await withdraw(seller, [a])
    assert await shop.tokens["a"].units(payee) == earned + owed > earned
    await token.do("setBlocked", payee.native, False)
    (paid,) = await withdraw(seller, [a])
    assert (paid.amount, paid.symbol) == ("1", "BLKX")


async def test_a_refund_that_the_token_holds_back_is_told_as_owed(
    shop: Shop, tmp_path: Path
) -> None:
    b = shop.world.b
    token = await shop.new(b, "BlockingToken")
    buyer, seller = (
        shop.person(each, token.asset) for each in (shop.world.consumer, shop.world.publisher)
    )
    uri = await model(shop, tmp_path, "m", None)
    await set_price(seller, uri, "1", (), "BLKX")
    before = await token.units(shop.account(b))

    async def dearer_then_carry() -> None:
        await set_price(seller, uri, "2", (), "BLKX")
        await token.do("setBlocked", shop.account(b).native, True)
        await shop.world.carry()

    with pytest.raises(PurchaseRefunded, match="1 BLKX is owed to") as told:
        await buy(replace(buyer, carry=dearer_then_carry), uri, ledger=b.id, asset="BLKX")
    assert "caimi withdraw" in told.value.next_step
    await token.do("setBlocked", shop.account(b).native, False)
    (paid,) = await withdraw(buyer, [b])
    assert (paid.amount, paid.symbol) == ("1", "BLKX")
    assert await token.units(shop.account(b)) == before


async def _nobody() -> None:
    """Carry nothing."""
