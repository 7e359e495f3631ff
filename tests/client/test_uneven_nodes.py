"""Operations over an address with nodes that are not even: what ended is never misreported."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from caimi.client.context import Context
from caimi.client.publish import publish
from caimi.client.purchase import buy
from caimi.client.transfer import transfer
from caimi.client.voyage import follow
from caimi.demo.world import World, start_world
from caimi.errors.operations import PurchaseRefunded
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.rpc.chain import Chain
from caimi.ledgers.evm.rpc.client import Rpc
from caimi.ledgers.port import Asset, Price
from caimi.models.package import Package
from caimi.uri import ModelUri

sys.path.append(str(Path(__file__).resolve().parents[1] / "ledgers"))

from load_balanced import LoadBalanced


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with start_world("embedded", tmp_path) as started:
        yield started


def uneven(context: Context, seed: int) -> Context:
    """The same, whose ledgers' nodes are up to three blocks apart once something was sent."""
    rng = Random(seed)
    sent = [False]

    def over(ledger: EvmLedger) -> EvmLedger:
        rpc = ledger.chain.rpc
        pool = LoadBalanced(rpc.provider, lambda: rng.randint(0, 3) if sent[0] else 0)
        chain = Chain(Rpc(pool, rpc.name), ledger.id, ledger.chain.finality)
        made = EvmLedger(chain, ledger.deployment)
        submit = made.submit

        async def noting(*arguments: object, **named: object) -> object:
            receipt = await submit(*arguments, **named)
            sent[0] = True
            return receipt

        made.submit = noting
        return made

    return replace(context, ledgers={name: over(each) for name, each in context.ledgers.items()})


async def published(world: World, folder: Path, name: str) -> str:
    file = folder / "model.bin"
    file.write_bytes(b"weights" * 100)
    done = await publish(
        world.publisher,
        Package.from_path(file),
        ledger=world.a.id,
        name=name,
        version="1.0.0",
        price="5",
    )
    return done.uri


async def test_what_ended_is_never_reported_as_something_else(world: World, tmp_path: Path) -> None:
    for seed in range(2):
        uri = await published(world, tmp_path, f"m{seed}")
        await bought(world, uri, seed)
        await transferred(world, uri, seed)
        await refunded(world, await published(world, tmp_path, f"r{seed}"), seed)


async def bought(world: World, uri: str, seed: int) -> None:
    await buy(uneven(world.consumer, seed), uri, ledger=world.b.id)
    consumer = world.consumer.identity.account(world.b.id)
    licence = await world.a.market.licence(ModelUri.parse(uri).model_id, "1.0.0", consumer)
    assert licence.live


async def transferred(world: World, uri: str, seed: int) -> None:
    owner = world.publisher.identity.account(world.b.id)
    context = uneven(world.publisher, seed)
    assert (await transfer(context, uri, to=world.b.id, recipient=owner)).tx
    voyage = await follow(world.publisher, ModelUri.parse(uri))
    assert (voyage.last.ledger, voyage.in_flight) == (world.b.id, False)


async def refunded(world: World, uri: str, seed: int) -> None:
    market, model_id = world.a.market, ModelUri.parse(uri).model_id
    amount, payee = (
        Asset(world.b.id, b"").of(9 * 10**18),
        world.publisher.identity.account(world.b.id),
    )
    dearer = market.set_prices(model_id, [Price(amount, payee)])

    async def carry() -> None:
        # The home ledger refuses what is paid at the price of before.
        await world.a.submit(dearer, world.publisher.identity.signer)
        await world.consumer.carry()

    context = replace(uneven(world.consumer, seed), carry=carry)
    with pytest.raises(PurchaseRefunded):
        await buy(context, uri, ledger=world.b.id)
    assert (await world.b.market.owed(world.consumer.identity.account(world.b.id))).units == 0
