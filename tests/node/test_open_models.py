"""Open versions stay within a bound of bytes, and each is opened once."""

import asyncio

import pytest

from caimi.errors.inference import ModelNotServed, ModelTooLarge
from caimi.inference.worker import ServedModel
from caimi.node.open_models import Fetched, OpenModels
from caimi.uri import ModelUri


class Store:
    """Versions whose number is their size in bytes; notes what is fetched and loaded."""

    def __init__(self, **options: int) -> None:
        self.fetched: list[str] = []
        self.loaded: list[str] = []
        self.sizes_at_load: list[int] = []
        self.broken: set[str] = set()
        self.models = OpenModels(self._fetch, **options)

    async def _fetch(self, uri: ModelUri) -> Fetched:
        version = uri.selector or ""
        self.fetched.append(version)
        await asyncio.sleep(0)
        if version in self.broken:
            raise ModelNotServed("no licence")

        async def load() -> ServedModel:
            self.sizes_at_load.append(self.models.size)
            self.loaded.append(version)
            return ServedModel(uri, bytes(32), None)

        return Fetched(int(version), load)

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
