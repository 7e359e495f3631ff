"""A process killed at any point of an operation: running it again completes it, nothing twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from mortal import die_everywhere

from caimi.client.aliases import set_alias
from caimi.client.deprecation import deprecate
from caimi.client.publish import publish
from caimi.client.pull import pull
from caimi.client.purchase import buy
from caimi.client.transfer import transfer
from caimi.client.voyage import follow
from caimi.demo.world import World, start_world
from caimi.errors.storage import StorageError
from caimi.ledgers.port import ChangedPrices, PublishedVersion, SentModel
from caimi.models.package import Package
from caimi.storage.cid import Cid, HashFunction
from caimi.storage.local import LocalStore
from caimi.uri import ModelUri

PRICE = 5 * 10**18


class CutOffStore(LocalStore):
    """A store whose line drops after the first sealed chunk."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._chunks = 0

    def get_blocking(self, cid: Cid) -> bytes:
        self._chunks += cid.function is HashFunction.BLAKE3
        if self._chunks > 1:
            raise StorageError("The line to the store dropped.")
        return super().get_blocking(cid)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with start_world("embedded", tmp_path) as started:
        yield started


def package(folder: Path, content: bytes = b"weights" * 1000) -> Package:
    file = folder / "model.bin"
    file.write_bytes(content)
    return Package.from_path(file)


async def published(world: World, folder: Path) -> str:
    done = await publish(
        world.publisher, package(folder), ledger=world.a.id, name="m", version="1.0.0", price="5"
    )
    return done.uri


async def test_a_killed_publication_is_completed_and_published_once(
    world: World, tmp_path: Path
) -> None:
    bundle = package(tmp_path)
    done = await die_everywhere(
        world.publisher,
        tmp_path,
        lambda context: publish(
            context, bundle, ledger=world.a.id, name="m", version="1.0.0", price="5"
        ),
    )
    model = ModelUri.parse(done.uri)
    events = [type(entry.fact) for entry in await world.a.registry.history(model.model_id)]
    assert events.count(PublishedVersion) == 1
    assert events.count(ChangedPrices) == 1
    version = await world.a.registry.version(model.model_id, "1.0.0")
    assert version.manifest.hex() == done.manifest


async def test_a_killed_purchase_is_completed_and_paid_once(world: World, tmp_path: Path) -> None:
    uri = await published(world, tmp_path)
    seller = world.publisher.identity.account(world.b.id)
    await die_everywhere(
        world.consumer, tmp_path, lambda context: buy(context, uri, ledger=world.b.id)
    )
    assert (await world.b.market.owed(seller)).units == PRICE
    consumer = world.consumer.identity.account(world.b.id)
    licence = await world.a.market.licence(ModelUri.parse(uri).model_id, "1.0.0", consumer)
    assert licence.live


async def test_a_killed_purchase_at_home_is_paid_once(world: World, tmp_path: Path) -> None:
    uri = await published(world, tmp_path)
    await die_everywhere(
        world.consumer, tmp_path, lambda context: buy(context, uri, ledger=world.a.id)
    )
    assert (await world.a.market.owed(world.publisher.identity.account(world.a.id))).units == PRICE


async def test_a_killed_transfer_is_completed_with_one_live_holder(
    world: World, tmp_path: Path
) -> None:
    model = ModelUri.parse(await published(world, tmp_path)).with_selector(None)
    account = world.publisher.identity.account(world.c.id)
    await die_everywhere(
        world.publisher,
        tmp_path,
        lambda context: transfer(context, model, to=world.c.id, recipient=account),
    )
    held = (await follow(world.publisher, model)).last
    assert (held.ledger, held.owner) == (world.c.id, account)
    assert await world.live_holders(model.model_id) == [world.c.id]
    told = await world.a.registry.history(model.model_id)
    assert sum(isinstance(each.fact, SentModel) for each in told) == 1


async def test_a_killed_alias_and_a_killed_deprecation_are_made_once(
    world: World, tmp_path: Path
) -> None:
    uri = await published(world, tmp_path)
    model_id = ModelUri.parse(uri).model_id
    await die_everywhere(
        world.publisher, tmp_path, lambda context: set_alias(context, uri, "stable")
    )
    assert len(await world.a.registry.alias_history(model_id, "stable")) == 1
    await set_alias(world.publisher, uri, "stable")  # again, on purpose
    assert len(await world.a.registry.alias_history(model_id, "stable")) == 2
    await die_everywhere(
        world.publisher, tmp_path, lambda context: deprecate(context, uri, "wrong")
    )
    assert (await world.a.registry.version(model_id, "1.0.0")).deprecated


async def test_a_pull_that_was_cut_off_is_completed(world: World, tmp_path: Path) -> None:
    content = bytes(range(256)) * 40_000
    done = await publish(
        world.publisher, package(tmp_path, content), ledger=world.a.id, name="m", version="1.0.0"
    )
    target = tmp_path / "pulled"
    cut_off = replace(world.publisher, store=CutOffStore(world.store.root))
    with pytest.raises(StorageError):
        await pull(cut_off, done.uri, target)
    assert not target.exists()
    await pull(world.publisher, done.uri, target)
    assert (target / "model.bin").read_bytes() == content
