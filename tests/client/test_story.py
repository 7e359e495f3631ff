"""A model's history is one line an event: who, what, at which price; and right in JSON."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import pytest

from caimi.cli.output import jsonable
from caimi.client.aliases import set_alias
from caimi.client.assets import Assets
from caimi.client.catalogue import history, show
from caimi.client.deprecation import deprecate
from caimi.client.pricing import set_price
from caimi.client.publish import publish
from caimi.client.purchase import buy
from caimi.client.story import Storyteller
from caimi.demo.world import World, start_world
from caimi.errors.operations import PurchaseRefunded
from caimi.ledgers.port import (
    Account,
    Asset,
    ChangedPrices,
    DeprecatedVersion,
    GrantedLicence,
    LedgerId,
    ModelFact,
    Price,
    PublishedVersion,
    RegisteredModel,
)
from caimi.models.package import Package
from caimi.uri import ModelUri
from token_contracts import make_token

HERE = LedgerId("local:here")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with start_world("embedded", tmp_path) as started:
        yield started


async def test_a_day_reads_as_it_went(world: World, tmp_path: Path) -> None:
    a, b, publisher, consumer = world.a, world.b, world.publisher, world.consumer
    token = await make_token(b, publisher.identity.signer_on(b.id))
    buyer = consumer.identity.account(b.id)
    await token.do("mint", buyer.native, 100_000_000)
    publisher, consumer, knowing = (
        replace(each, assets=Assets([token.asset])) for each in (publisher, consumer, world.working)
    )
    file = tmp_path / "model.bin"
    file.write_bytes(b"weights")
    package = Package.from_path(file)
    uri = (await publish(publisher, package, ledger=a.id, name="m", version="1.0.0", price="5")).uri
    model = ModelUri.parse(uri).with_selector(None)
    await set_alias(publisher, uri, "production")
    await set_price(publisher, uri, "12.50", (), "EURX")

    async def dearer_then_carry() -> None:
        await set_price(publisher, uri, "20", (), "EURX")
        await world.carry()

    with pytest.raises(PurchaseRefunded):
        await buy(replace(consumer, carry=dearer_then_carry), uri, ledger=b.id, asset="EURX")
    bought = await buy(consumer, uri, ledger=b.id, asset="EURX")
    await deprecate(publisher, uri, "old\n2026 forged \x1b[2J")

    lines = await history(replace(knowing, keys=None), model)
    told = [(line.ledger, line.who, line.what) for line in lines]
    seller = {each.id: publisher.name(publisher.identity.account(each.id)) for each in (a, b)}
    mine = consumer.name(buyer)
    for wanted in (
        (a.id, seller[a.id], "registered the model m"),
        (a.id, seller[a.id], "published version 1.0.0"),
        (a.id, "", "alias production means 1.0.0 now"),
        (a.id, seller[a.id], f"asks 12.5 EURX on {b.id}"),
        (b.id, mine, "is owed 12.5 EURX back: the purchase failed"),
        (a.id, mine, f"may use version 1.0.0; {seller[b.id]} is paid"),
        (b.id, seller[b.id], "is owed 20 EURX: the purchase is done"),
    ):
        assert wanted in told
    opened = [line for line in lines if line.event == "purchase opened"]
    assert [line.who for line in opened] == [mine, mine]
    assert opened[1].what.startswith("buys version 1.0.0 for 20 EURX, by packet ")
    assert opened[1].tx == bought.tx
    asked = [line.prices for line in lines if line.event == "prices set"]
    assert {(each.said, each.units) for each in asked[1]} == {("12.5 EURX", "12500000")}
    assert len(asked[0]) == 3
    (deprecated,) = (line for line in lines if line.event == "version deprecated")
    assert deprecated.what.startswith("version 1.0.0 is deprecated: old")
    assert deprecated.what.isprintable()
    assert lines == sorted(lines, key=lambda line: line.time)
    document = jsonable(lines)
    assert all(isinstance(each["details"], dict) for each in document)
    assert deprecated.details["version"] == "1.0.0"

    shown = await show(knowing, uri)
    assert (shown.aliases, shown.licences) == ({"production": "1.0.0"}, 1)
    assert "20 EURX" in {each.said for each in shown.prices}


def strange() -> SimpleNamespace:
    """Know a ledger that cannot write down just any bytes as an account."""

    def text(account: Account) -> str:
        return account.native.decode()

    ledger = SimpleNamespace(id=HERE, coins=None, accounts=SimpleNamespace(text=text))
    return SimpleNamespace(
        ledgers={HERE: ledger},
        assets=Assets(),
        name=lambda account: f"{HERE}:{text(account)}",
    )


def test_whatever_anybody_wrote_is_one_line_and_breaks_nothing() -> None:
    teller = Storyteller(strange(), HERE)
    nobody, token = Account(HERE, b"\xff" * 8), Asset(HERE, b"\xfe" * 64)
    for fact in (
        RegisteredModel(b"\1" * 32, nobody, "a\nb\x1b[2J"),
        PublishedVersion(b"\1" * 32, nobody, "9" * 10_000, b""),
        DeprecatedVersion(b"\1" * 32, "1", "x\r\n" * 10_000),
        GrantedLicence(b"\2" * 32, b"\1" * 32, "1", b"\xff" * 500, b"\xfd"),
        ChangedPrices(b"\1" * 32, nobody, (Price(token.of(2**255), nobody),)),
    ):
        line = teller.tell(fact)
        assert (line.who + line.what).isprintable()
        assert len(line.what) < 1000


def test_a_licence_is_told_with_its_price_where_no_other_could_have_been_paid() -> None:
    seller, other = Account(HERE, b"seller"), Account(HERE, b"other")
    coin, token = Asset(HERE, b"", "coin"), Asset(HERE, b"token")
    teller = Storyteller(strange(), HERE)
    payee = seller.interoperable
    granted = GrantedLicence(b"\2" * 32, b"\1" * 32, "1.0.0", b"reader", payee)

    def asks(*prices: Price) -> None:
        teller.tell(ChangedPrices(b"\1" * 32, seller, prices))

    def told() -> tuple[bool, list[str]]:
        line = teller.tell(granted)
        assert line.what.startswith("may use version 1.0.0; seller is paid")
        return line.what.endswith(" is paid"), [price.units for price in line.prices]

    assert told() == (True, [])
    asks(Price(coin.of(5), seller), Price(token.of(3), other))
    assert told() == (False, ["5"])
    asks(Price(coin.of(7), seller))
    assert told() == (False, ["7"])
    asks(Price(token.of(3), seller))
    assert told() == (True, [])
    asks(Price(token.of(0), seller, offered=False))
    assert told() == (False, ["7"])


def test_every_kind_of_fact_is_told() -> None:
    teller = Storyteller(strange(), HERE)
    me = Account(HERE, b"me")
    values = {
        "Account": me,
        "Account | None": me,
        "bytes": b"\1" * 32,
        "str": "text",
        "int": 7,
        "Money": Asset(HERE, b"t").of(5),
        "tuple[Price, ...]": (Price(Asset(HERE, b"t").of(5), me, offered=False),),
    }
    for kind in get_args(ModelFact):
        fields = {name: values[hint] for name, hint in kind.__annotations__.items()}
        assert teller.tell(kind(**fields)).what
