"""What a user allows now holds for what an interrupted run began: at each step, for each option."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from mortal import Killed, mortal_journal

from caimi.client.amounts import parse_amount
from caimi.client.context import Context
from caimi.client.publish import Description, publish
from caimi.client.purchase import buy
from caimi.client.transfer import transfer
from caimi.demo.world import World, start_world
from caimi.errors.ids import InvalidName
from caimi.errors.ledgers import TransactionReverted
from caimi.errors.models import ManifestMalformed
from caimi.errors.operations import (
    AlreadyLicensed,
    BegunOtherwise,
    LicensedElsewhere,
    PriceAboveLimit,
    StillInFlight,
    UsageError,
)
from caimi.ledgers.evm.facets.market import EvmMarket
from caimi.ledgers.port import Money, Price, SentModel
from caimi.models.card import ModelCard
from caimi.models.package import Package
from caimi.persistence import journal_in
from caimi.uri import ModelUri

COIN = 10**18
STEPS = 40
"""More than an operation's accesses to its journal: the loop ends when none is left."""


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with start_world("embedded", tmp_path_factory.mktemp("world")) as started:
        yield started


async def nobody() -> None:
    """Carry nothing: a packet that was sent stays on its way."""


class Lab:
    """Runs an operation that dies at a step, and gives the context to go on with."""

    def __init__(self, context: Context, folder: Path) -> None:
        self.context = replace(context, carry=nobody, wait_seconds=0)
        self._folder = folder
        self._made = 0

    async def die_at(
        self, step: int, work: Callable[[Context], Awaitable[object]]
    ) -> tuple[Context, bool]:
        """Also tell whether the work was over before that step: done, or its packet sent."""
        self._made += 1
        path = self._folder / f"journal-{self._made}.sqlite"
        journal = mortal_journal(path, step)
        over = True
        try:
            await work(replace(self.context, journal=journal))
        except StillInFlight:
            pass
        except Killed:
            over = False
        finally:
            journal.close()
        return replace(self.context, journal=journal_in(path)), over


async def model(world: World, folder: Path, name: str, price: str = "5") -> str:
    name = f"{folder.name[5:40].strip('_')}-{name}".lower()
    file = folder / "model.bin"
    file.write_bytes(b"weights")
    done = await publish(
        world.publisher,
        Package.from_path(file),
        ledger=world.a.id,
        name=name,
        version="1.0.0",
        price=price,
    )
    return done.uri


@pytest.mark.parametrize("where", ["a", "b"])
async def test_a_killed_purchase_never_pays_more_than_is_allowed_when_it_goes_on(
    world: World, tmp_path: Path, where: str
) -> None:
    lab, paying = Lab(world.consumer, tmp_path), getattr(world, where)
    account, named = world.consumer.identity.account(paying.id), set()
    for step in range(STEPS):
        uri = await model(world, tmp_path, f"m{step}")
        resumed, over = await lab.die_at(step, lambda c, uri=uri: buy(c, uri, ledger=paying.id))
        before = (await paying.coins.balance(account)).units
        for _ in range(2):
            with pytest.raises((PriceAboveLimit, BegunOtherwise, AlreadyLicensed)) as refusal:
                await buy(resumed, uri, ledger=paying.id, max_price="1")
        named.add(refusal.type)
        assert (await paying.coins.balance(account)).units == before
        with suppress(AlreadyLicensed, StillInFlight):
            assert (await buy(resumed, uri, ledger=paying.id, max_price="5.0001")).price == "5"
        if over:
            break
    else:
        raise AssertionError("it never ended")
    assert {PriceAboveLimit, BegunOtherwise} <= named


async def test_the_relay_deposit_is_told_first_and_counts_within_what_is_allowed(
    world: World, tmp_path: Path
) -> None:
    uri, told = await model(world, tmp_path, "m"), []
    account = world.consumer.identity.account(world.b.id)
    before = (await world.b.coins.balance(account)).units
    with pytest.raises(PriceAboveLimit, match=r"5 \S+ and a relay deposit of 0\.0001 "):
        await buy(world.consumer, uri, ledger=world.b.id, max_price="5.00009", told=told.append)
    assert told == []
    assert (await world.b.coins.balance(account)).units == before
    bought = await buy(world.consumer, uri, ledger=world.b.id, max_price="5.0001", told=told.append)
    assert (bought.price, bought.deposit) == ("5", "0.0001")
    (text,) = told
    assert "0.0001" in text


async def test_no_other_deposit_is_paid_than_was_told(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri, told = await model(world, tmp_path, "m"), []
    market = type(world.b.market)
    asked = market.relay_deposit

    async def higher_once_told(self: EvmMarket) -> Money:
        deposit = await asked(self)
        return deposit + deposit if told else deposit

    monkeypatch.setattr(market, "relay_deposit", higher_once_told)
    bought = await buy(world.consumer, uri, ledger=world.b.id, told=told.append)
    assert told
    assert bought.deposit == "0.0001"
    # Nor where a market asks for another than the call says.
    route = await world.consumer.route(world.b.id, world.a.id)
    other = ModelUri.parse(await model(world, tmp_path, "n"))
    price, deposit = (world.b.coins.asset.of(units) for units in (5 * COIN, 1))
    call = await world.b.market.buy_remote(
        route.client_id, other.model_id, "1.0.0", price, 2**40, deposit=deposit
    )
    with pytest.raises(TransactionReverted):
        await world.b.submit(call, world.consumer.identity.signer)


async def test_a_killed_purchase_takes_the_price_and_the_timeout_of_today_or_says_why_not(
    world: World, tmp_path: Path
) -> None:
    lab, named = Lab(world.consumer, tmp_path), set()
    for step in range(STEPS):
        uri = await model(world, tmp_path, f"m{step}")
        resumed, over = await lab.die_at(step, lambda c, uri=uri: buy(c, uri, ledger=world.b.id))
        before = (await world.b.coins.balance(world.consumer.identity.account(world.b.id))).units
        for _ in range(2):
            with pytest.raises((BegunOtherwise, StillInFlight)) as ended:
                await buy(resumed, uri, ledger=world.b.id, timeout_seconds=60)
        named.add(ended.type)
        paid = (
            before
            - (await world.b.coins.balance(world.consumer.identity.account(world.b.id))).units
        )
        assert (paid < COIN) is (ended.type is BegunOtherwise)
        if over:
            break
    assert named == {BegunOtherwise, StillInFlight}


@pytest.mark.parametrize(("first", "second"), [("a", "b"), ("b", "a")])
async def test_a_second_licence_is_paid_on_another_ledger_only_when_asked_for(
    world: World, tmp_path: Path, first: str, second: str
) -> None:
    lab = Lab(world.consumer, tmp_path)
    one, other = getattr(world, first), getattr(world, second)
    account, refused = world.consumer.identity.account(other.id), 0
    for step in range(STEPS):
        uri = await model(world, tmp_path, f"m{step}")
        resumed, over = await lab.die_at(step, lambda c, uri=uri: buy(c, uri, ledger=one.id))
        before = (await other.coins.balance(account)).units
        try:
            await buy(resumed, uri, ledger=other.id)
        except LicensedElsewhere:
            refused += 1
            assert (await other.coins.balance(account)).units == before
        except StillInFlight:
            pass
        if over:
            break
    assert 0 < refused < step
    with pytest.raises(LicensedElsewhere):
        await buy(world.consumer, uri, ledger=other.id)
    with suppress(StillInFlight):
        await buy(lab.context, uri, ledger=other.id, again=True)
    assert before - (await other.coins.balance(account)).units >= 5 * COIN


async def test_a_killed_second_purchase_goes_on_only_when_it_is_asked_for_again(
    world: World, tmp_path: Path
) -> None:
    uri = await model(world, tmp_path, "m")
    await buy(world.consumer, uri, ledger=world.a.id)
    waiting = Lab(world.consumer, tmp_path).context
    with pytest.raises(StillInFlight):
        await buy(waiting, uri, ledger=world.b.id, again=True)
    with pytest.raises(LicensedElsewhere):
        await buy(world.consumer, uri, ledger=world.b.id)
    with pytest.raises(StillInFlight):
        await buy(waiting, uri, ledger=world.b.id, again=True)


async def test_a_killed_transfer_keeps_to_the_timeout_and_depth_of_today(
    world: World, tmp_path: Path
) -> None:
    lab, account = Lab(world.publisher, tmp_path), world.publisher.identity.account(world.c.id)
    outcomes = set()
    for step in range(STEPS):
        uri = await model(world, tmp_path, f"m{step}")
        resumed, over = await lab.die_at(
            step, lambda c, uri=uri: transfer(c, uri, to=world.c.id, recipient=account)
        )
        for terms in ({"timeout_seconds": 60}, {"min_depth": 1}):
            sent_before = await _sent(world, uri)
            try:
                await transfer(resumed, uri, to=world.c.id, recipient=account, **terms)
            except BegunOtherwise:
                outcomes.add("named")
                assert await _sent(world, uri) == sent_before
            except StillInFlight:
                outcomes.add("done")
                break
        if over:
            break
    assert outcomes == {"named", "done"}


async def _sent(world: World, uri: str) -> int:
    events = await world.a.registry.history(ModelUri.parse(uri).model_id)
    return sum(isinstance(event.fact, SentModel) for event in events)


async def test_a_killed_publication_asks_the_price_and_gives_the_licence_of_today(
    world: World, tmp_path: Path
) -> None:
    file = tmp_path / "model.bin"
    file.write_bytes(b"weights")
    package, lab, outcomes = Package.from_path(file), Lab(world.publisher, tmp_path), set()
    said = Description(licence="MIT", card=ModelCard(description="another"))
    for step in range(STEPS):
        common = {"ledger": world.a.id, "name": f"m{step}", "version": "1.0.0"}
        resumed, over = await lab.die_at(
            step, lambda c, common=common: publish(c, package, **common, price="5")
        )
        try:
            done = await publish(resumed, package, **common, price="7", description=said)
            outcomes.add("done")
        except BegunOtherwise:
            outcomes.add("named")
            done = await publish(resumed, package, **common, price="7")
        model_id = ModelUri.parse(done.uri).model_id
        asked = await world.a.market.price(model_id, world.b.coins.asset)
        assert asked is not None
        assert asked.amount == world.b.coins.asset.of(7 * COIN)
        if over:
            break
    assert outcomes == {"named", "done"}


async def test_a_price_is_changed_by_publishing_again_and_changed_back(
    world: World, tmp_path: Path
) -> None:
    for price in ("5", "7", "5", "0.5"):
        uri = await model(world, tmp_path, "m", price)
        for ledger in (world.a, world.b, world.c):
            asked = await world.a.market.price(ModelUri.parse(uri).model_id, ledger.coins.asset)
            payee = world.publisher.identity.account(ledger.id)
            assert asked == Price(parse_amount(price, ledger.coins.asset), payee)


async def test_what_a_publisher_wrote_wrongly_is_told_before_anything_is_sealed(
    world: World, tmp_path: Path
) -> None:
    file = tmp_path / "model.bin"
    file.write_bytes(b"weights")
    package, stored = Package.from_path(file), [cid async for cid in world.store.list()]
    for wrong, kind in (
        ({"price": "five"}, UsageError),
        ({"version": "../../1"}, InvalidName),
        ({"version": ""}, InvalidName),
        ({"name": "../m"}, InvalidName),
        ({"description": Description(licence="no licence!")}, ManifestMalformed),
    ):
        given = {"ledger": world.a.id, "name": "wrong", "version": "1.0.0"} | wrong
        with pytest.raises(kind):
            await publish(world.publisher, package, **given)
    assert [cid async for cid in world.store.list()] == stored
