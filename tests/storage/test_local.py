import errno
import os
import resource
import subprocess
import sys
import threading
import time

import pytest
from store_conformance import StoreConformance

from caimi.errors.storage import (
    ObjectCorrupted,
    ObjectMissing,
    StorageError,
    StoreFull,
    StoreUnusable,
)
from caimi.storage import Cid, LocalStore


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path / "store")


class TestLocalStore(StoreConformance):
    """The shared suite."""


class WithoutTheFaceForThreads:
    """An asynchronous-only view of a store, as a remote one is."""

    def __init__(self, inner):
        self.put, self.get, self.has = inner.put, inner.get, inner.has
        self.delete, self.list = inner.delete, inner.list


class TestStoreDrivenThroughItsLoop(StoreConformance):
    @pytest.fixture
    def store(self, tmp_path):
        return WithoutTheFaceForThreads(LocalStore(tmp_path / "store"))


def file_of(store, cid):
    return store.root / "objects" / str(cid)[-3:-1] / str(cid)


def leftovers(store):
    return list((store.root / "incoming").iterdir())


@pytest.mark.parametrize("damage", [b"", b"objecT", b"object and more"])
async def test_a_damaged_object_is_refused_on_reading_and_repaired_by_putting(store, damage):
    cid = await store.put(b"object")
    file_of(store, cid).write_bytes(damage)
    with pytest.raises(ObjectCorrupted):
        await store.get(cid)
    await store.put(b"object")
    assert await store.get(cid) == b"object"


async def test_an_object_that_grew_past_every_bound_is_not_read_whole(store):
    cid = await store.put(b"object")
    os.truncate(file_of(store, cid), 1 << 40)
    with pytest.raises(ObjectCorrupted):
        await store.get(cid)


async def test_a_symbolic_link_in_place_of_an_object_is_not_followed(store, tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(b"object")
    cid = await store.put(b"object")
    file_of(store, cid).unlink()
    file_of(store, cid).symlink_to(secret)
    assert not await store.has(cid)
    with pytest.raises(StoreUnusable):
        await store.get(cid)


async def test_a_symbolic_link_in_place_of_a_shard_is_not_followed(store, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    file_of(store, Cid.of(b"object")).parent.symlink_to(elsewhere)
    with pytest.raises(StoreUnusable):
        await store.put(b"object")
    assert list(elsewhere.iterdir()) == []
    assert leftovers(store) == []


async def test_a_pipe_in_place_of_an_object_does_not_block_the_reader(store):
    cid = await store.put(b"object")
    file_of(store, cid).unlink()
    os.mkfifo(file_of(store, cid))
    assert not await store.has(cid)
    with pytest.raises(StoreUnusable):
        await store.get(cid)


@pytest.mark.parametrize(
    ("number", "named"),
    [
        (errno.ENOSPC, StoreFull),
        (errno.EDQUOT, StoreFull),
        (errno.EROFS, StoreUnusable),
        (errno.EIO, StorageError),
    ],
)
async def test_a_disk_that_fails_midway_leaves_nothing(store, monkeypatch, number, named):
    real = os.write

    def fails_after_a_few_bytes(descriptor, data):
        if len(data) < 1000:
            raise OSError(number, os.strerror(number))
        return real(descriptor, data[:10])

    monkeypatch.setattr(os, "write", fails_after_a_few_bytes)
    data = bytes(1005)
    with pytest.raises(named) as raised:
        await store.put(data)
    assert type(raised.value) is named
    monkeypatch.undo()
    assert not await store.has(Cid.of(data))
    assert leftovers(store) == []
    assert await store.get(await store.put(data)) == data


def test_a_real_limit_on_file_size_is_reported_as_full(tmp_path):
    program = f"""
import resource, pathlib
from caimi.storage import LocalStore
from caimi.errors.storage import StoreFull
store = LocalStore(pathlib.Path({str(tmp_path)!r}))
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, {resource.RLIM_INFINITY}))
try:
    store.put_blocking(bytes(2000))
except StoreFull:
    print("full", list((store.root / "incoming").iterdir()))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "full []"


def test_a_killed_writer_leaves_no_object_and_its_remains_are_swept_later(tmp_path):
    program = f"""
import os, pathlib
from caimi.storage import LocalStore
store = LocalStore(pathlib.Path({str(tmp_path)!r}))
os.rename = lambda *a, **k: os.kill(os.getpid(), 9)
store.put_blocking(b"object")
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9
    store = LocalStore(tmp_path)
    with pytest.raises(ObjectMissing):
        store.get_blocking(Cid.of(b"object"))
    (remains,) = leftovers(store)
    yesterday = time.time() - 25 * 3600
    os.utime(remains, (yesterday, yesterday))
    assert leftovers(LocalStore(tmp_path)) == []


def test_two_stores_on_one_directory_write_at_once(tmp_path):
    stores = [LocalStore(tmp_path), LocalStore(tmp_path)]
    data = [os.urandom(5000) for _ in range(40)]

    def write(store):
        for item in data:
            store.put_blocking(item)

    threads = [threading.Thread(target=write, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [stores[0].get_blocking(Cid.of(item)) for item in data] == data


@pytest.mark.parametrize("made_by", ["this store", "another, killed before it synchronised"])
async def test_an_object_its_shard_and_the_shards_own_entry_last_before_put_returns(
    store, monkeypatch, made_by
):
    data = b"weights"
    shard = file_of(store, Cid.of(data)).parent
    if made_by != "this store":
        shard.mkdir()
    synchronised = []
    real = os.fsync

    def noted(descriptor):
        synchronised.append(os.path.realpath(f"/proc/self/fd/{descriptor}"))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    await store.put(data)
    written, *directories = synchronised
    assert written.startswith(str(store.root / "incoming"))
    assert directories == [str(shard), str(shard.parent)]
    synchronised.clear()
    await store.delete(Cid.of(data))
    await store.put(data)
    assert str(shard.parent) not in synchronised


def test_a_store_at_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreUnusable):
        LocalStore(tmp_path / "file")


async def test_foreign_files_are_not_listed(store):
    cid = await store.put(b"object")
    (file_of(store, cid).parent / "README").write_text("not an object")
    assert [item async for item in store.list()] == [cid]


async def test_a_closed_store_says_so(store):
    store.close()
    with pytest.raises(StorageError):
        await store.put(b"object")
