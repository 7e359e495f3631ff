"""What every store must do; one joins by subclassing `StoreConformance` with its fixture."""

import asyncio
import os

import pytest

from caimi.errors.storage import ObjectMissing, ObjectTooLarge
from caimi.storage import MAX_OBJECT_BYTES, Cid, HashFunction, Store, blocking


class StoreConformance:
    """Subclasses provide the fixture `store`: an empty `Store`."""

    @pytest.mark.parametrize("function", HashFunction)
    @pytest.mark.parametrize("size", [0, 1, 4096, 1 << 20])
    async def test_what_was_put_is_what_one_gets(self, store: Store, size, function):
        data = os.urandom(size)
        cid = await store.put(data, function)
        assert cid == Cid.of(data, function)
        assert await store.get(cid) == data

    async def test_an_object_put_twice_is_there_once(self, store: Store):
        cids = {await store.put(b"same"), await store.put(bytearray(b"same"))}
        assert [cid async for cid in store.list()] == list(cids)

    async def test_a_stream_is_kept_as_one_object(self, store: Store):
        async def stream():
            for part in (b"one ", b"two ", b"three"):
                yield part

        assert await store.get(await store.put(stream())) == b"one two three"

    async def test_an_endless_stream_is_cut_off(self, store: Store):
        async def stream():
            while True:
                yield b"x" * (1 << 20)

        with pytest.raises(ObjectTooLarge):
            await store.put(stream())
        assert [cid async for cid in store.list()] == []

    async def test_an_object_over_the_bound_is_refused(self, store: Store):
        with pytest.raises(ObjectTooLarge):
            await store.put(bytes(MAX_OBJECT_BYTES + 1))

    async def test_an_unknown_object_is_missing(self, store: Store):
        cid = Cid.of(b"nobody put this")
        assert not await store.has(cid)
        with pytest.raises(ObjectMissing):
            await store.get(cid)

    async def test_a_deleted_object_is_gone_and_deleting_again_is_no_error(self, store: Store):
        cid = await store.put(b"short-lived")
        assert await store.has(cid)
        await store.delete(cid)
        await store.delete(cid)
        assert not await store.has(cid)

    async def test_a_failing_stream_leaves_nothing(self, store: Store):
        async def stream():
            yield b"begun"
            raise ConnectionError("the source broke off")

        with pytest.raises(ConnectionError):
            await store.put(stream())
        assert [cid async for cid in store.list()] == []

    async def test_concurrent_writers_of_one_object_all_succeed(self, store: Store):
        data = os.urandom(1 << 18)
        cids = await asyncio.gather(*(store.put(data) for _ in range(16)))
        assert set(cids) == {Cid.of(data)}
        assert await store.get(cids[0]) == data

    async def test_the_face_for_threads_sees_the_same_objects(self, store: Store):
        face = blocking(store)
        cid = await asyncio.to_thread(face.put_blocking, memoryview(b"from a thread"))
        assert await asyncio.to_thread(face.has_blocking, cid)
        assert await store.get(cid) == b"from a thread"
        assert await asyncio.to_thread(face.get_blocking, cid) == b"from a thread"
