"""One packet is followed over both ledgers: each step, what it carries, and what it waits for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from caimi.client import packet_events
from caimi.client.context import Context
from caimi.client.packets import FollowedPacket, follow_packets
from caimi.client.pricing import set_price
from caimi.client.publish import publish
from caimi.client.purchase import buy
from caimi.client.transfer import transfer
from caimi.demo.world import World, start_world
from caimi.errors.messaging import UnknownPacket
from caimi.errors.operations import PurchaseRefunded, StillInFlight, UsageError
from caimi.ledgers.port import Ledger
from caimi.models.package import Package
from caimi.uri import ModelUri


@pytest.fixture(params=["embedded", "embedded,memory"])
async def world(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[World]:
    about = tmp_path / "path" / "memory_ledger-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: memory-ledger\nVersion: 1\n")
    offer = "[caimi.sandboxes]\nmemory = memory_ledger.sandbox:MEMORY\n"
    (about / "entry_points.txt").write_text(offer)
    monkeypatch.syspath_prepend(str(about.parent))
    async with start_world(request.param, tmp_path) as started:
        yield started


async def nobody() -> None:
    """Carry nothing."""


async def model(world: World, folder: Path, price: str | None = None) -> ModelUri:
    file = folder / "model.bin"
    file.write_bytes(b"weights")
    done = await publish(
        world.publisher,
        Package.from_path(file),
        ledger=world.a.id,
        name="m",
        version="1.0.0",
        price=price,
    )
    return ModelUri.parse(done.uri).with_selector(None)


async def only(context: Context, named: str, ledger: Ledger | None = None) -> FollowedPacket:
    (found,) = await follow_packets(replace(context, keys=None), named, ledger)
    return found


async def test_a_transfer_is_followed_from_its_sending_to_its_end(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri, reader = await model(world, tmp_path), world.consumer
    recipient = world.publisher.identity.account(world.b.id)
    waiting = replace(world.publisher, carry=nobody, wait_seconds=0)
    with pytest.raises(StillInFlight):
        await transfer(waiting, uri, to=world.b.id, recipient=recipient)
    lock = await world.a.bridge.lock(uri.model_id)
    assert lock is not None
    name = f"{lock.client_id}/{lock.sequence}"
    sent = await only(reader, name)
    assert (sent.id, sent.source, sent.destination) == (name, world.a.id, world.b.id)
    assert [step.what for step in sent.steps] == ["sent"]
    assert sent.outcome == "on its way"
    assert f"a relayer to deliver it to {world.b.id}" == sent.waits_for
    (carries,) = sent.carries
    assert carries.startswith(f"the model m (0x{uri.model_id.hex()}) from {world.a.id}:")
    assert carries.endswith(f" to {world.publisher.name(recipient)}")
    assert await only(reader, sent.steps[0].tx) == sent

    seen = [sent]
    for _ in range(50):
        await world.carry()
        now = await only(reader, name)
        if now.steps != seen[-1].steps:
            seen.append(now)
        if now.outcome != "on its way":
            break
    assert [[step.what for step in each.steps] for each in seen] == [
        ["sent"],
        ["sent", "delivered"],
        ["sent", "delivered", "acknowledged"],
    ]
    assert seen[1].waits_for == f"a relayer to bring its answer to {world.a.id}"
    assert seen[1].answer == "the model was taken"
    ended = seen[2]
    assert (ended.outcome, ended.waits_for, ended.next_step) == ("completed", "", "")
    assert [step.ledger for step in ended.steps] == [world.a.id, world.b.id, world.a.id]
    for step in ended.steps:
        assert await only(reader, step.tx) == ended

    async def above_all(ledger: Ledger, time: int) -> int:
        return (await ledger.head()).height + 1

    with monkeypatch.context() as apart:  # as where clocks are far apart
        apart.setattr(packet_events, "_height_at", above_all)
        assert await only(reader, name) == ended
    with pytest.raises(UnknownPacket):
        await only(reader, ended.steps[1].tx, world.a)


async def test_what_came_too_late_is_told_so_and_then_where_it_went(
    world: World, tmp_path: Path
) -> None:
    uri, reader = await model(world, tmp_path), world.consumer
    recipient = world.publisher.identity.account(world.b.id)
    waiting = replace(world.publisher, carry=nobody, wait_seconds=0)
    with pytest.raises(StillInFlight):
        await transfer(waiting, uri, to=world.b.id, recipient=recipient, timeout_seconds=60)
    lock = await world.a.bridge.lock(uri.model_id)
    assert lock is not None
    name = f"{lock.client_id}/{lock.sequence}"
    await world.sandboxes[world.b.id].pass_time(61)
    late = await only(reader, name)
    assert late.waits_for == f"a relayer to prove that it is late to {world.a.id}"
    for _ in range(50):
        await world.carry()
        if (late := await only(reader, name)).outcome != "on its way":
            break
    assert [step.what for step in late.steps] == ["sent", "timed out"]
    assert late.outcome == "refunded"


@pytest.mark.parametrize("world", ["embedded"], indirect=True)
async def test_a_purchase_says_what_was_paid_and_a_refused_one_what_came_back(
    world: World, tmp_path: Path
) -> None:
    uri = await model(world, tmp_path, "5")
    before = await world.b.gateway.newest_sent(
        [route.client_id for route in await world.b.gateway.routes()]
    )
    reader = world.consumer.identity.account(world.b.id)

    async def dearer_then_carry() -> None:
        await set_price(world.publisher, uri, "6")
        await world.carry()

    with pytest.raises(PurchaseRefunded):
        await buy(
            replace(world.consumer, carry=dearer_then_carry), f"{uri}@1.0.0", ledger=world.b.id
        )
    bought = await buy(world.consumer, f"{uri}@1.0.0", ledger=world.b.id)
    paid = await only(world.working, bought.tx)
    assert paid.outcome == "completed"
    (carries,) = paid.carries
    assert carries == (
        f"an order of a licence of 0x{uri.model_id.hex()}@1.0.0 for "
        f"{world.consumer.name(reader)}, 6 coin"
    )
    seller = world.publisher.name(world.publisher.identity.account(world.b.id))
    assert paid.answer == f"licence {bought.licence_id} given; {seller} is paid"
    client, _, number = paid.id.partition("/")
    refused = await only(world.working, f"{client}/{int(number) - 1}")
    assert (refused.outcome, refused.answer) == ("refunded", "refused")
    assert refused.carries[0].endswith(", 5 coin")
    assert "caimi withdraw" in refused.next_step
    assert sum(before) == int(number) - 2


async def test_what_is_no_packet_is_named(world: World, tmp_path: Path) -> None:
    await model(world, tmp_path)
    client = (await world.a.gateway.routes())[0].client_id
    published = (
        await world.a.registry.history(
            world.a.registry.model_id(world.publisher.identity.account(world.a.id), "m")
        )
    )[0].tx
    for named in (f"{client}/1", f"{client}/{10**18}", "no-client/1", "0x" + "77" * 32, "", "\x1b"):
        with pytest.raises(UnknownPacket) as refusal:
            await follow_packets(world.consumer, named)
        assert "\x1b" not in refusal.value.what
    with pytest.raises(UnknownPacket, match="is about no packet"):
        await follow_packets(world.consumer, published)


async def test_a_packet_to_a_ledger_that_is_not_configured_says_so(
    world: World, tmp_path: Path
) -> None:
    uri = await model(world, tmp_path)
    recipient = world.publisher.identity.account(world.b.id)
    waiting = replace(world.publisher, carry=nobody, wait_seconds=0)
    with pytest.raises(StillInFlight):
        await transfer(waiting, uri, to=world.b.id, recipient=recipient)
    lock = await world.a.bridge.lock(uri.model_id)
    assert lock is not None
    alone = replace(world.consumer, ledgers={world.a.id: world.a})
    found = await only(alone, f"{lock.client_id}/{lock.sequence}")
    assert "not configured" in found.waits_for
    assert f"[[ledgers]] section for {world.b.id}" in found.next_step


async def test_an_id_that_two_ledgers_use_is_asked_about(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = await model(world, tmp_path)
    recipient = world.publisher.identity.account(world.b.id)
    waiting = replace(world.publisher, carry=nobody, wait_seconds=0)
    with pytest.raises(StillInFlight):
        await transfer(waiting, uri, to=world.b.id, recipient=recipient)
    lock = await world.a.bridge.lock(uri.model_id)
    assert lock is not None
    twice = replace(world.consumer, ledgers={world.a.id: world.a, world.c.id: world.a})
    with pytest.raises(UsageError, match="--ledger"):
        await follow_packets(twice, f"{lock.client_id}/{lock.sequence}")
