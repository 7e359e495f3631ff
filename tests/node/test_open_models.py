"""Open versions stay within a bound of bytes, and each is opened once."""

import asyncio

import pytest

from caimi.errors.inference import ModelNotServed, ModelStillOpening, ModelTooLarge
from caimi.inference.worker import ServedModel
from caimi.node import open_models
from caimi.node.open_models import OpenableModel, OpenModels
from caimi.uri import ModelUri


class Store:
    """Versions whose number is their size in bytes; notes what is fetched and loaded."""

    def __init__(self, **options: int) -> None:
        self.fetched: list[str] = []
        self.loaded: list[str] = []
        self.discarded: list[str] = []
        self.sizes_at_load: list[int] = []
        self.broken: set[str] = set()
        self.models = OpenModels(self._fetch, **options)

    async def _fetch(self, uri: ModelUri) -> OpenableModel:
        version = uri.selector or ""
        self.fetched.append(version)
        await asyncio.sleep(0)
        if version in self.broken:
            raise ModelNotServed("no licence")

        async def load() -> ServedModel:
            self.sizes_at_load.append(self.models.size)
            self.loaded.append(version)
            return ServedModel(uri, bytes(32), None)

        return OpenableModel(int(version), load, lambda: self.discarded.append(version))

    async def get(self, size: int) -> ServedModel:
        return await self.models.get(uri(size))


def uri(size: int) -> ModelUri:
    return ModelUri("eip155:1", bytes(32), str(size))


async def test_many_requests_at_once_open_a_version_once():
    store = Store()
    answers = await asyncio.gather(*(store.get(5) for _ in range(20)))
    assert store.loaded == ["5"]
    assert all(answer is answers[0] for answer in answers)


async def test_the_longest_unused_is_closed_for_room_before_another_is_loaded():
    store = Store(max_bytes=10)
    for size in (4, 5, 4, 3):
        await store.get(size)
    assert (store.loaded, store.models.size) == (["4", "5", "3"], 7)
    assert max(store.sizes_at_load) <= 10
    assert uri(5) not in store.models
    await store.get(5)
    assert store.loaded == ["4", "5", "3", "5"]
    assert store.models.size <= 10


async def test_no_more_than_so_many_are_open():
    store = Store(max_models=2)
    for size in (1, 2, 3):
        await store.get(size)
    assert [uri(size) in store.models for size in (1, 2, 3)] == [False, True, True]


async def test_a_version_over_the_bound_is_refused_and_closes_no_other():
    store = Store(max_bytes=10)
    await store.get(6)
    with pytest.raises(ModelTooLarge, match=r"11 bytes"):
        await store.get(11)
    assert (store.loaded, store.models.size) == (["6"], 6)
    assert uri(11) not in store.models


async def test_what_could_not_be_opened_is_tried_again():
    store = Store()
    store.broken.add("5")
    with pytest.raises(ModelNotServed):
        await store.get(5)
    store.broken.clear()
    assert (await store.get(5)).uri == uri(5)
    assert store.fetched == ["5", "5"]


async def test_a_request_that_is_given_up_stops_no_other():
    store = Store()
    first, second = asyncio.create_task(store.get(5)), asyncio.create_task(store.get(5))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).uri == uri(5)
    assert store.loaded == ["5"]


async def settled(store: Store) -> list[str]:
    await asyncio.gather(*store.models._discarding)
    return store.discarded


async def test_files_go_when_a_version_is_closed_or_cannot_be_loaded():
    store = Store(max_bytes=10)
    for size in (4, 5):
        await store.get(size)
    assert await settled(store) == []
    await store.get(6)
    assert await settled(store) == ["4", "5"]

    async def fail() -> ServedModel:
        raise ModelNotServed("its chunks are gone")

    async def find(_uri: ModelUri) -> OpenableModel:
        return OpenableModel(1, fail, lambda: store.discarded.append("failed"))

    broken = OpenModels(find)
    with pytest.raises(ModelNotServed):
        await broken.get(uri(1))
    await asyncio.gather(*broken._discarding)
    assert store.discarded[-1] == "failed"


async def test_a_version_that_is_closed_while_it_is_opened_leaves_no_files():
    opened, discarded = asyncio.Event(), []

    async def find(asked: ModelUri) -> OpenableModel:
        async def load() -> ServedModel:
            if asked.selector == "1":
                await opened.wait()
            return ServedModel(asked, bytes(32), None)

        return OpenableModel(1, load, lambda: discarded.append(asked.selector))

    models = OpenModels(find, max_models=1)
    first = asyncio.create_task(models.get(uri(1)))
    await asyncio.sleep(0.01)
    await models.get(uri(2))
    assert discarded == []
    opened.set()
    assert (await first).uri == uri(1)
    await asyncio.gather(*models._discarding)
    assert discarded == ["1"]


async def test_a_version_that_is_long_in_coming_is_told_so_and_comes(monkeypatch):
    monkeypatch.setattr(open_models, "WAIT_SECONDS", 0.02)
    begun = asyncio.Event()

    async def find(asked: ModelUri) -> OpenableModel:
        async def load() -> ServedModel:
            await begun.wait()
            return ServedModel(asked, bytes(32), None)

        return OpenableModel(1, load)

    models = OpenModels(find)
    with pytest.raises(ModelStillOpening):
        await models.get(uri(1))
    begun.set()
    assert (await models.get(uri(1))).uri == uri(1)
    monkeypatch.setattr(open_models, "OPENING_SECONDS", 0.02)
    begun.clear()
    monkeypatch.setattr(open_models, "WAIT_SECONDS", 5)
    with pytest.raises(ModelStillOpening, match=r"not opened within"):
        await models.get(uri(2))
    assert uri(2) not in models
