"""A licence is bought for whoever the buyer names, and paid to whoever the seller names."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from caimi.client.network import AsyncNetwork
from caimi.client.pricing import set_price
from caimi.client.publish import publish
from caimi.client.pull import pull
from caimi.client.purchase import buy
from caimi.config import Config
from caimi.demo.world import World, start_world
from caimi.errors.custody import NotEnoughShares
from caimi.errors.ledgers import NotAllowed
from caimi.errors.operations import AlreadyLicensed, PurchaseRefunded, UsageError
from caimi.keystore import LocalSigner
from caimi.ledgers.port import Account, LedgerId, Price
from caimi.models.package import Package
from caimi.uri import ModelUri

pytestmark = pytest.mark.asyncio(loop_scope="module")
COIN = 10**18


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with start_world("embedded", tmp_path_factory.mktemp("world")) as started:
        yield started


def somebody(ledger: LedgerId) -> Account:
    return Account(ledger, LocalSigner.generate().account)


async def model(world: World, folder: Path, name: str, payees: tuple[Account, ...] = ()) -> str:
    file = folder / "model.bin"
    file.write_bytes(name.encode())
    package = Package.from_path(file)
    done = await publish(
        world.publisher,
        package,
        ledger=world.a.id,
        name=name,
        version="1.0.0",
        price="5",
        payees=payees,
    )
    return done.uri


@pytest.mark.parametrize("where", ["a", "b"])
async def test_a_named_reader_opens_what_another_bought(
    world: World, tmp_path: Path, where: str
) -> None:
    paying = getattr(world, where)
    uri = await model(world, tmp_path, f"given-{where}")
    reader = world.working.identity.account(paying.id)
    bought = await buy(world.consumer, uri, ledger=paying.id, reader=reader)
    assert bought.consumer == world.consumer.name(reader)
    await pull(world.working, uri, tmp_path / "out")
    with pytest.raises(NotEnoughShares):
        await pull(world.consumer, uri, tmp_path / "other")
    with pytest.raises(AlreadyLicensed):
        await buy(world.consumer, uri, ledger=paying.id, reader=reader)
    await buy(world.consumer, uri, ledger=paying.id)
    await pull(world.consumer, uri, tmp_path / "other")


async def test_what_bought_nothing_for_a_reader_comes_back_to_the_buyer(
    world: World, tmp_path: Path
) -> None:
    uri, b = await model(world, tmp_path, "refunded"), world.b
    account, reader = world.consumer.identity.account(b.id), somebody(b.id)
    before = (await b.coins.balance(account)).units

    async def dearer_then_carry() -> None:
        await set_price(world.publisher, uri, "6")
        await world.carry()

    context = replace(world.consumer, carry=dearer_then_carry)
    with pytest.raises(PurchaseRefunded):
        await buy(context, uri, ledger=b.id, reader=reader)
    assert before - (await b.coins.balance(account)).units < COIN // 10
    assert (await b.market.owed(reader)).units == 0


async def test_a_named_payee_is_paid_and_the_others_are_ones_own(
    world: World, tmp_path: Path
) -> None:
    first, second = somebody(world.b.id), somebody(world.b.id)
    uri = await model(world, tmp_path, "paid", (first,))
    model_id, coins = ModelUri.parse(uri).model_id, world.b.coins.asset
    own = world.publisher.identity.account(world.a.id)
    asked = await world.a.market.price(model_id, world.a.coins.asset)
    assert asked == Price(world.a.coins.asset.of(5 * COIN), own)
    assert await world.a.market.price(model_id, coins) == Price(coins.of(5 * COIN), first)
    priced = await set_price(world.publisher, uri, "5", [second])
    paid = {each.ledger: each.payee for each in priced.prices}
    assert paid[world.b.id] == world.publisher.name(second)
    await buy(world.consumer, uri, ledger=world.b.id)
    assert (await world.b.market.owed(second)).units == 5 * COIN
    assert (await world.b.market.owed(first)).units == 0


async def test_only_the_owner_asks_another_price(world: World, tmp_path: Path) -> None:
    uri = await model(world, tmp_path, "mine")
    with pytest.raises(NotAllowed):
        await set_price(world.consumer, uri, "1")
    priced = await set_price(world.publisher, uri, "0.5")
    assert priced.uri == str(ModelUri.parse(uri).with_selector(None))
    assert {each.amount for each in priced.prices} == {"0.5"}


async def test_accounts_are_named_by_their_own_ledger(world: World, tmp_path: Path) -> None:
    uri, b = await model(world, tmp_path, "named"), world.b
    seller, buyer = (AsyncNetwork(who, Config()) for who in (world.publisher, world.consumer))
    elsewhere = world.consumer.name(somebody(b.id))
    with pytest.raises(UsageError, match=f"account of {b.id}"):
        await buyer.buy(uri, reader=elsewhere)
    priced = await seller.set_price(uri, "5", payees=[elsewhere])
    assert elsewhere in {each.payee for each in priced.prices}
    reader = somebody(world.a.id)
    bought = await buyer.buy(uri, reader=world.a.accounts.text(reader))
    assert bought.consumer == world.consumer.name(reader)
