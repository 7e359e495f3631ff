"""A token on real ledgers: priced, bought here and abroad, refunded, and paid out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from caimi.client.assets import Assets
from caimi.client.money import balances, withdraw
from caimi.client.packets import follow_packets
from caimi.client.pricing import set_price
from caimi.client.publish import publish
from caimi.client.purchase import buy
from caimi.demo.world import start_world
from caimi.errors.operations import PurchaseRefunded
from caimi.models.package import Package
from token_contracts import make_token

pytestmark = [pytest.mark.e2e, pytest.mark.anvil]


async def test_a_token_is_money_on_anvil(tmp_path: Path) -> None:
    file = tmp_path / "model.bin"
    file.write_bytes(b"weights")
    async with start_world("anvil", tmp_path) as world:
        tokens = []
        for ledger in (world.a, world.b):
            token = await make_token(ledger, world.publisher.identity.signer_on(ledger.id))
            buyer = world.consumer.identity.account(ledger.id)
            await token.do("mint", buyer.native, 100_000_000)
            tokens.append(token)
        assets = Assets(token.asset for token in tokens)
        seller, consumer = (
            replace(each, assets=assets) for each in (world.publisher, world.consumer)
        )
        uri = (
            await publish(
                seller, Package.from_path(file), ledger=world.a.id, name="m", version="1.0.0"
            )
        ).uri
        await set_price(seller, uri, "12.50", (), "EURX")

        async def dearer_then_carry() -> None:
            await set_price(seller, uri, "20", (), "EURX")
            await world.carry()

        stalled = replace(consumer, carry=dearer_then_carry)
        with pytest.raises(PurchaseRefunded, match=r"12\.5 EURX came back"):
            await buy(stalled, uri, ledger=world.b.id, asset="EURX")
        await buy(consumer, uri, ledger=world.a.id, asset="EURX", max_price="20")
        abroad = await buy(
            consumer, uri, ledger=world.b.id, asset="EURX", max_price="20", again=True
        )
        (packet,) = await follow_packets(consumer, abroad.tx)
        assert packet.outcome == "completed"
        assert packet.carries[0].endswith(", 20 EURX")
        paid = await withdraw(seller, [world.a, world.b])
        assert {(each.ledger, each.amount, each.symbol) for each in paid} == {
            (world.a.id, "20", "EURX"),
            (world.b.id, "20", "EURX"),
        }
        for ledger, token in zip((world.a, world.b), tokens, strict=True):
            account = consumer.identity.account(ledger.id)
            (_, held), _ = await balances([(ledger, account)], assets)
            assert held.amount == "80"
            assert await token.allowed(account) == 0
