import errno
import mmap
import os

import pytest

from caimi.errors.storage import StoreFull
from caimi.storage import Cid, LocalStore

MEBIBYTE = 1 << 20


def page_aligned(size):
    buffer = mmap.mmap(-1, size + 1)
    buffer.write(os.urandom(size))
    return memoryview(buffer)[:size]


@pytest.mark.parametrize("size", [MEBIBYTE - 1, MEBIBYTE, MEBIBYTE + 23, 2 * MEBIBYTE + 4095])
@pytest.mark.parametrize("offset", [0, 1])
def test_large_objects_are_kept_whole_whether_or_not_their_buffer_is_aligned(
    tmp_path, size, offset
):
    store = LocalStore(tmp_path)
    data = page_aligned(size + offset)[offset:]
    assert store.get_blocking(store.put_blocking(data)) == data


def test_a_disk_that_fills_up_under_a_large_object_leaves_nothing(tmp_path, monkeypatch):
    store = LocalStore(tmp_path)
    real = os.write
    calls = []

    def half_then_full(descriptor, data):
        calls.append(len(data))
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, data[: MEBIBYTE // 2])

    monkeypatch.setattr(os, "write", half_then_full)
    data = page_aligned(MEBIBYTE)
    with pytest.raises(StoreFull):
        store.put_blocking(data)
    monkeypatch.undo()
    assert not store.has_blocking(Cid.of(data))
    assert list((tmp_path / "incoming").iterdir()) == []


def test_a_file_system_without_direct_access_is_written_through_the_cache(tmp_path, monkeypatch):
    store = LocalStore(tmp_path)
    real = os.write
    refused = []

    def no_direct_access(descriptor, data):
        if not refused:
            refused.append(len(data))
            raise OSError(errno.EINVAL, "Invalid argument")
        return real(descriptor, data)

    monkeypatch.setattr(os, "write", no_direct_access)
    data = page_aligned(MEBIBYTE + 5)
    assert store.get_blocking(store.put_blocking(data)) == data
    assert refused == [MEBIBYTE]
