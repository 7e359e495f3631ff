"""A model of one family goes over ledgers of another, whose accounts are words, and back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from caimi.client.catalogue import Sought, search
from caimi.client.deprecation import deprecate
from caimi.client.publish import publish
from caimi.client.pull import pull
from caimi.client.transfer import Transferred, transfer
from caimi.client.voyage import follow
from caimi.demo.world import World, start_world
from caimi.errors.custody import NotEnoughShares
from caimi.errors.operations import TransferRefunded
from caimi.ledgers.port import Ledger
from caimi.models.package import Package
from caimi.uri import ModelUri


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    about = tmp_path / "path" / "memory_ledger-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: memory-ledger\nVersion: 1\n")
    offer = "[caimi.sandboxes]\nmemory = memory_ledger.sandbox:MEMORY\n"
    (about / "entry_points.txt").write_text(offer)
    monkeypatch.syspath_prepend(str(about.parent))
    async with start_world("embedded,memory", tmp_path) as started:
        yield started


@pytest.fixture
async def model(world: World, tmp_path: Path) -> ModelUri:
    file = tmp_path / "model.bin"
    file.write_bytes(b"weights")
    package = Package.from_path(file)
    done = await publish(world.publisher, package, ledger=world.a.id, name="m", version="1.0.0")
    return ModelUri.parse(done.uri).with_selector(None)


async def _move(world: World, model: ModelUri, to: Ledger) -> Transferred:
    recipient = world.publisher.identity.account(to.id)
    return await transfer(world.publisher, model, to=to.id, recipient=recipient)


async def test_a_model_goes_over_unlike_ledgers_and_comes_back_to_its_home(
    world: World, model: ModelUri
) -> None:
    assert [ledger.id.partition(":")[0] for ledger in (world.a, world.b, world.c)] == [
        "eip155",
        "local",
        "local",
    ]
    await _move(world, model, world.b)
    await _move(world, model, world.c)
    voyage = await follow(world.consumer, model)
    assert [stop.ledger for stop in voyage.stops] == [world.a.id, world.b.id, world.c.id]
    assert voyage.last.owner == world.publisher.identity.account(world.c.id)
    assert voyage.last.owner.native.isalpha()  # a word
    assert not voyage.in_flight

    await _move(world, model, world.b)
    await _move(world, model, world.a)
    voyage = await follow(world.consumer, model)
    assert voyage.last.ledger == world.a.id
    assert voyage.last.owner == world.publisher.identity.account(world.a.id)
    await deprecate(world.publisher, str(model.with_selector("1.0.0")), "done")


async def test_an_account_that_is_a_word_opens_a_model_of_another_familys_ledger(
    world: World, model: ModelUri, tmp_path: Path
) -> None:
    reader, uri = world.consumer.identity.account(world.b.id), str(model.with_selector("1.0.0"))
    with pytest.raises(NotEnoughShares, match="0 of the 3 shares"):
        await pull(world.consumer, uri, tmp_path / "refused", paying_ledger=world.b.id)
    granted = world.a.market.grant(model.model_id, "1.0.0", reader)
    await world.a.submit(granted, world.publisher.identity.signer_on(world.a.id))
    opened = await pull(world.consumer, uri, tmp_path / "opened", paying_ledger=world.b.id)
    assert (opened.directory / "model.bin").read_bytes() == b"weights"
    with pytest.raises(NotEnoughShares):  # another person's word is not the reader's
        await pull(world.working, uri, tmp_path / "another", paying_ledger=world.b.id)


async def test_a_model_that_comes_late_to_an_unlike_ledger_is_given_back(
    world: World, model: ModelUri
) -> None:
    stalled = replace(world.publisher, carry=lambda: world.carry_late(world.c, 61))
    recipient = world.publisher.identity.account(world.c.id)
    with pytest.raises(TransferRefunded):
        await transfer(stalled, model, to=world.c.id, recipient=recipient, timeout_seconds=60)
    voyage = await follow(world.consumer, model)
    assert voyage.last.owner == world.publisher.identity.account(world.a.id)


async def test_a_publisher_is_the_account_that_its_ledger_reads_and_no_other_word(
    world: World,
) -> None:
    signer = world.publisher.identity.signer_on(world.b.id)
    await world.b.submit(world.b.registry.publish("worded", "1.0.0", b"\x11" * 32), signer)
    word = world.publisher.text(world.publisher.identity.account(world.b.id))

    async def found(publisher: str) -> list[str]:
        return [each.name for each in await search(world.consumer, Sought(publisher=publisher))]

    assert await found(word) == ["worded"]
    assert await found(word.swapcase()) == []
