"""What a publisher or consumer does wrong, or what goes wrong for them, ends in a named error."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from caimi.client.aliases import set_alias
from caimi.client.catalogue import Sought, search
from caimi.client.deprecation import deprecate
from caimi.client.publish import publish
from caimi.client.pull import pull
from caimi.client.purchase import buy
from caimi.client.resolve import resolve
from caimi.client.streaming import open_streamed
from caimi.client.transfer import transfer
from caimi.client.verify import verify_version
from caimi.client.voyage import follow
from caimi.demo.world import World, start_world
from caimi.errors.custody import NotEnoughShares
from caimi.errors.ids import InvalidModelUri
from caimi.errors.inference import ModelNotRunnable
from caimi.errors.ledgers import InsufficientFunds, TransactionReverted, UnknownModel
from caimi.errors.operations import (
    AlreadyLicensed,
    NotForSale,
    NotTheOwner,
    PriceAboveLimit,
    PurchaseRefunded,
    StillInFlight,
    UnknownLedger,
    UnknownSelector,
    UsageError,
    VersionTaken,
)
from caimi.errors.storage import ChunkMissing, ObjectMissing
from caimi.inference.tensors import hash_tensors
from caimi.inference.wasm.compiling.compiler import compile_model
from caimi.inference.wasm.engine import WasmEngine
from caimi.inference.wasm.hosting.host import ModuleHost
from caimi.keystore import LocalSigner
from caimi.ledgers.port import Asset, Price
from caimi.models.package import Package
from caimi.storage.cid import HashFunction
from caimi.uri import ModelUri
from zoo import named

COIN = 10**18


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with start_world("embedded", tmp_path) as started:
        yield started


def package(folder: Path, content: bytes = b"weights") -> Package:
    file = folder / "model.bin"
    file.write_bytes(content)
    return Package.from_path(file)


async def published(world: World, folder: Path, price: str | None = "5") -> str:
    done = await publish(
        world.publisher, package(folder), ledger=world.a.id, name="m", version="1.0.0", price=price
    )
    return done.uri


async def test_names_that_lead_nowhere(world: World, tmp_path: Path) -> None:
    uri = await published(world, tmp_path)
    bare = str(ModelUri.parse(uri).with_selector(None))
    for text, kind in (
        (f"{bare}@2.0.0", UnknownSelector),
        (f"{bare}@production", UnknownSelector),
        (bare.replace("31337", "1"), UnknownLedger),
        (bare[:-1] + ("0" if bare[-1] != "0" else "1"), UnknownModel),
        ("caimi:garbage", InvalidModelUri),
    ):
        with pytest.raises(kind):
            await resolve(world.consumer, text)


async def test_no_selector_names_the_newest_version_that_is_not_deprecated(
    world: World, tmp_path: Path
) -> None:
    uri = await published(world, tmp_path)
    bare = ModelUri.parse(uri).with_selector(None)
    await publish(
        world.publisher, package(tmp_path, b"v2"), ledger=world.a.id, name="m", version="2.0.0"
    )
    assert (await resolve(world.consumer, bare)).version.version == "2.0.0"
    await deprecate(world.publisher, f"{bare}@2.0.0", "wrong")
    assert (await resolve(world.consumer, bare)).version.version == "1.0.0"
    await set_alias(world.publisher, uri, "stable")
    assert (await resolve(world.consumer, f"{bare}@stable")).version.version == "1.0.0"


async def test_a_version_is_published_once(world: World, tmp_path: Path) -> None:
    await published(world, tmp_path)
    with pytest.raises(VersionTaken):
        await publish(
            world.publisher,
            package(tmp_path, b"other"),
            ledger=world.a.id,
            name="m",
            version="1.0.0",
        )


async def test_publishing_the_same_again_changes_nothing(world: World, tmp_path: Path) -> None:
    uri = await published(world, tmp_path)
    before = len(await world.a.registry.history(ModelUri.parse(uri).model_id))
    assert await published(world, tmp_path) == uri
    assert len(await world.a.registry.history(ModelUri.parse(uri).model_id)) == before


async def test_a_second_purchase_is_refused_and_costs_nothing(world: World, tmp_path: Path) -> None:
    uri = await published(world, tmp_path)
    await buy(world.consumer, uri, ledger=world.b.id)
    account = world.consumer.identity.account(world.b.id)
    before = (await world.b.coins.balance(account)).units
    with pytest.raises(AlreadyLicensed):
        await buy(world.consumer, uri, ledger=world.b.id)
    assert (await world.b.coins.balance(account)).units == before


async def test_prices_are_looked_at_before_anything_is_paid(world: World, tmp_path: Path) -> None:
    uri = await published(world, tmp_path)
    with pytest.raises(PriceAboveLimit):
        await buy(world.consumer, uri, ledger=world.b.id, max_price="4.99")
    model_id = ModelUri.parse(uri).model_id
    payee = world.publisher.identity.account(world.b.id)
    withdrawn = world.a.market.set_prices(
        model_id, [Price(Asset(world.b.id, b"").of(0), payee, offered=False)]
    )
    await world.a.submit(withdrawn, world.publisher.identity.signer)
    with pytest.raises(NotForSale):
        await buy(world.consumer, uri, ledger=world.b.id)


async def test_a_price_that_changed_on_the_way_refunds(world: World, tmp_path: Path) -> None:
    uri = await published(world, tmp_path)
    model_id, account = ModelUri.parse(uri).model_id, world.consumer.identity.account(world.b.id)
    before = (await world.b.coins.balance(account)).units
    changed = False

    async def change_then_carry() -> None:
        nonlocal changed
        if not changed:
            changed = True
            dearer = world.a.market.set_prices(
                model_id,
                [
                    Price(
                        Asset(world.b.id, b"").of(6 * COIN),
                        world.publisher.identity.account(world.b.id),
                    )
                ],
            )
            await world.a.submit(dearer, world.publisher.identity.signer)
        await world.carry()

    with pytest.raises(PurchaseRefunded):
        await buy(replace(world.consumer, carry=change_then_carry), uri, ledger=world.b.id)
    assert before - (await world.b.coins.balance(account)).units < COIN // 10
    assert (await world.b.market.owed(world.publisher.identity.account(world.b.id))).units == 0
    await buy(world.consumer, uri, ledger=world.b.id)


async def test_a_purchase_nobody_carries_in_time_refunds(world: World, tmp_path: Path) -> None:
    uri = await published(world, tmp_path)
    account = world.consumer.identity.account(world.b.id)
    before = (await world.b.coins.balance(account)).units
    late = replace(world.consumer, carry=lambda: world.carry_late(world.a, 61))
    with pytest.raises(PurchaseRefunded):
        await buy(late, uri, ledger=world.b.id, timeout_seconds=60)
    assert before - (await world.b.coins.balance(account)).units < COIN // 10


async def test_without_a_relayer_the_wait_ends_and_can_be_taken_up(
    world: World, tmp_path: Path
) -> None:
    uri = await published(world, tmp_path)

    async def nobody() -> None:
        return None

    with pytest.raises(StillInFlight):
        await buy(replace(world.consumer, carry=nobody, wait_seconds=0.2), uri, ledger=world.b.id)
    await buy(world.consumer, uri, ledger=world.b.id)
    assert (
        await world.b.market.owed(world.publisher.identity.account(world.b.id))
    ).units == 5 * COIN


async def test_who_cannot_pay_is_told_what_is_missing(world: World, tmp_path: Path) -> None:
    uri = await published(world, tmp_path)
    poor = replace(world.consumer.identity, signer=LocalSigner.generate())
    with pytest.raises((InsufficientFunds, TransactionReverted)):
        await buy(replace(world.consumer, keys=poor), uri, ledger=world.b.id)


async def test_only_the_owner_moves_and_releases(world: World, tmp_path: Path) -> None:
    uri = await published(world, tmp_path)
    account = world.consumer.identity.account(world.c.id)
    with pytest.raises(NotTheOwner):
        await transfer(world.consumer, uri, to=world.c.id, recipient=account)
    with pytest.raises(TransactionReverted):
        await set_alias(world.consumer, uri, "mine")


async def test_a_model_goes_to_an_account_of_the_ledger_that_it_goes_to(
    world: World, tmp_path: Path
) -> None:
    uri = await published(world, tmp_path)
    elsewhere = world.publisher.identity.account(world.b.id)
    with pytest.raises(UsageError, match=f"not an account of {world.c.id}"):
        await transfer(world.publisher, uri, to=world.c.id, recipient=elsewhere)
    assert (await follow(world.publisher, ModelUri.parse(uri))).last.ledger == world.a.id


async def test_a_model_on_its_way_cannot_be_sent_again(world: World, tmp_path: Path) -> None:
    uri = await published(world, tmp_path)
    identity = world.publisher.identity
    account = identity.account(world.c.id)

    async def nobody() -> None:
        return None

    waiting = replace(world.publisher, carry=nobody, wait_seconds=0.2)
    with pytest.raises(StillInFlight):
        await transfer(waiting, uri, to=world.c.id, recipient=account)
    with pytest.raises(StillInFlight):
        await transfer(waiting, uri, to=world.b.id, recipient=identity.account(world.b.id))
    await transfer(world.publisher, uri, to=world.c.id, recipient=account)


async def test_a_store_that_lost_something_is_found_out(world: World, tmp_path: Path) -> None:
    uri = await published(world, tmp_path)
    async for cid in world.store.list():
        if cid.function is HashFunction.BLAKE3:
            await world.store.delete(cid)
    checked = await verify_version(world.consumer, uri, None)
    assert [check.state for check in checked.checks if "chunks" in check.name] == ["failed"]
    with pytest.raises(ChunkMissing):
        await pull(world.publisher, uri, tmp_path / "out")
    async for cid in world.store.list():
        await world.store.delete(cid)
    with pytest.raises(ObjectMissing):
        await pull(world.publisher, uri, tmp_path / "out")


async def test_a_published_module_is_verified_by_compiling_it_again(
    world: World, tmp_path: Path
) -> None:
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(named("logistic_regression").build(0))
    (folder / "model.wasm").write_bytes(compile_model(folder / "model.onnx").wasm)
    done = await publish(
        world.publisher, Package.from_path(folder), ledger=world.a.id, name="m", version="1.0.0"
    )
    await pull(world.publisher, done.uri, tmp_path / "out")
    checked = await verify_version(world.publisher, done.uri, tmp_path / "out")
    name = "model.wasm is what its ONNX file compiles to"
    assert [c.detail for c in checked.checks if c.name == name] == [
        "caimi-wasm/2/simd, byte for byte"
    ]
    assert checked.ok


async def test_a_module_runs_with_weights_streamed_out_of_the_store(
    world: World, tmp_path: Path
) -> None:
    model = named("digits_cnn")
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(model.build(0))
    (folder / "model.wasm").write_bytes(compile_model(folder / "model.onnx").wasm)
    done = await publish(
        world.publisher, Package.from_path(folder), ledger=world.a.id, name="cnn", version="1.0.0"
    )
    inputs = model.inputs(3, 1)
    with ModuleHost() as host:
        session = await open_streamed(world.publisher, done.uri, host)
        streamed = await asyncio.to_thread(session.run, inputs)
        session.close()
        kept = WasmEngine(host=host).load(folder / "model.onnx")
        assert hash_tensors(kept.run(inputs)) == hash_tensors(streamed)
        kept.close()
        plain = await published(world, tmp_path)
        with pytest.raises(ModelNotRunnable, match="0 compiled modules"):
            await open_streamed(world.publisher, plain, host)


async def test_a_revoked_licence_opens_nothing(world: World, tmp_path: Path) -> None:
    uri = await published(world, tmp_path)
    bought = await buy(world.consumer, uri, ledger=world.b.id)
    await pull(world.consumer, uri, tmp_path / "before", paying_ledger=world.b.id)
    revoked = world.a.market.revoke(bytes.fromhex(bought.licence_id[2:]))
    await world.a.submit(revoked, world.publisher.identity.signer)
    # The account that held the licence asks: without one, the client would ask as another.
    with pytest.raises(NotEnoughShares, match=f"{bought.consumer} holds no live licence"):
        await pull(world.consumer, uri, tmp_path / "out", paying_ledger=world.b.id)


async def test_the_owner_needs_no_licence(world: World, tmp_path: Path) -> None:
    uri = await published(world, tmp_path)
    await pull(world.publisher, uri, tmp_path / "out")
    assert (tmp_path / "out" / "model.bin").read_bytes() == b"weights"


async def test_a_search_finds_by_a_part_of_the_name(world: World, tmp_path: Path) -> None:
    uri = await published(world, tmp_path)
    assert [found.name for found in await search(world.consumer, "M")] == ["m"]
    assert await search(world.consumer, "nothing") == []
    assert await search(world.consumer, ModelUri.parse(uri).model_id.hex()[:12])


async def test_a_search_is_narrowed_and_marks_who_publishes_under_the_same_name(
    world: World, tmp_path: Path
) -> None:
    uri = await published(world, tmp_path, price="5")
    consumer, copied = world.consumer, world.b.registry.publish("m", "1.0.0", b"\x11" * 32)
    await world.b.submit(copied, consumer.identity.signer_on(world.b.id))
    await world.b.submit(
        world.b.registry.publish("m2", "1.0.0", b"\x11" * 32),
        consumer.identity.signer_on(world.b.id),
    )

    async def found(**sought: Any) -> list[tuple[str, str, int]]:
        return [
            (each.name, ModelUri.parse(each.uri).ledger, each.namesakes)
            for each in await search(consumer, Sought(**sought))
        ]

    a, b = sorted([("m", world.a.id, 1), ("m", world.b.id, 1)])
    assert await found(text="m") == [a, b, ("m2", world.b.id, 0)]
    assert await found(text="m", exact=True) == [a, b]
    assert await found(text="m", for_sale=True) == [("m", world.a.id, 1)]
    mine = consumer.text(consumer.identity.account(world.b.id))
    assert await found(publisher=mine.upper().replace("0X", "0x")) == [b, ("m2", world.b.id, 0)]
    assert await found(text=ModelUri.parse(uri).model_id.hex()) == [("m", world.a.id, 1)]
