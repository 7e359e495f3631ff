import asyncio
import errno
import os
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sealed_world import CHUNK, MODEL_ID, SIGNER, World

from caimi.errors.storage import (
    ChunkMisplaced,
    ChunkTampered,
    InvalidSealingTerms,
    SealingJournalUnusable,
    SourceChanged,
    StoreFull,
)
from caimi.models.content_key import OVERHEAD, ContentKey
from caimi.models.sealing_journal import SealingJournal
from caimi.models.unsealing import unseal
from caimi.storage import Cid, HashFunction, LocalStore

SIZES = st.one_of(
    st.integers(0, 3),
    st.builds(lambda n, d: max(0, n * CHUNK + d), st.integers(0, 3), st.integers(-2, 2)),
)


def pattern(size: int, seed: int = 0) -> bytes:
    return bytes((seed + i * 7 + i // 251) % 256 for i in range(size))


@settings(max_examples=20, deadline=None)
@given(st.lists(SIZES, min_size=1, max_size=3), st.sampled_from(HashFunction))
def test_files_of_any_size_around_chunk_borders_come_back(sizes, function):
    async def run(root: Path):
        files = {f"f{i}.dat": pattern(size, i) for i, size in enumerate(sizes)}
        world = World(root, files)
        sealed = await world.seal(chunk_hash=function)
        assert all(c.function is function for chunks in sealed.form.files for c in chunks)
        manifest = await world.publish()
        report = await unseal(manifest, world.store, world.key, root / "out")
        assert {p.name: p.read_bytes() for p in report.files} == files

    with tempfile.TemporaryDirectory() as root:
        asyncio.run(run(Path(root)))


async def test_sealing_twice_gives_the_same_chunks(tmp_path):
    world = World(tmp_path, {"a": pattern(2 * CHUNK + 5)})
    assert (await world.seal()).form == (await world.seal()).form


async def test_no_two_chunks_share_a_nonce_even_when_their_plain_bytes_are_equal(tmp_path):
    world = World(tmp_path, {"a": bytes(4 * CHUNK), "b": bytes(4 * CHUNK)})
    sealed = await world.seal()
    assert len({cid for chunks in sealed.form.files for cid in chunks}) == 8


async def test_a_changed_file_is_sealed_under_another_nonce_with_the_same_key(tmp_path):
    world = World(tmp_path, {"a": bytes(CHUNK)})
    first = (await world.seal()).form.files[0][0]
    (world.source / "a").write_bytes(bytes(CHUNK - 1) + b"x")
    second = (await world.seal()).form.files[0][0]
    one, two = await world.store.get(first), await world.store.get(second)
    assert one[:7] != two[:7]
    # With one nonce, all but the last byte would be equal.
    assert sum(a == b for a, b in zip(one, two, strict=True)) < len(one) // 64


async def test_a_sealed_chunk_shows_nothing_of_the_plain_one(tmp_path):
    world = World(tmp_path, {"a": b"confidential weights " * 1000})
    await world.seal()
    stored = [await world.store.get(cid) async for cid in world.store.list()]
    assert not any(b"confidential" in data for data in stored)


async def test_progress_counts_every_byte_once(tmp_path):
    world = World(tmp_path, {"a": pattern(3 * CHUNK + 1), "b": b"", "c": b"xyz"})
    seen = []
    await world.seal(progress=lambda done, total: seen.append((done, total)))
    await asyncio.sleep(0)
    total = world.package.total_bytes
    assert seen[-1] == (total, total)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


class Dying(LocalStore):
    """A store that fails at the n-th put, as a full disk or a dropped connection does."""

    def __init__(self, root, after):
        super().__init__(root)
        self.after = after
        self.puts = 0
        self._count = threading.Lock()

    def put_blocking(self, data, function=HashFunction.SHA2_256):
        with self._count:
            if self.puts >= self.after:
                raise StoreFull("no room")
            self.puts += 1
        return super().put_blocking(data, function)


@pytest.mark.parametrize("after", range(6))
async def test_sealing_goes_on_after_a_failure_at_every_chunk(tmp_path, after):
    world = World(tmp_path, {"a": pattern(3 * CHUNK + 9), "b": pattern(CHUNK)})
    journal = tmp_path / "journal"
    with pytest.raises(StoreFull):
        await world.seal(store=Dying(world.store.root, after), journal=journal)
    again = Dying(world.store.root, 99)
    resumed = await world.seal(store=again, journal=journal)
    # Five chunks and the signature; chunks recorded before the failure are not put again.
    assert again.puts <= 6 - max(0, after - 2)
    assert resumed.form == (await world.seal()).form
    final = Dying(world.store.root, 99)
    await world.seal(store=final, journal=journal)
    assert final.puts == 1


async def test_a_chunk_that_was_deleted_is_stored_again_despite_the_journal(tmp_path):
    world = World(tmp_path, {"a": pattern(2 * CHUNK)})
    sealed = await world.seal(journal=tmp_path / "journal")
    lost = sealed.form.files[0][1]
    await world.store.delete(lost)
    await world.seal(journal=tmp_path / "journal")
    assert await world.store.has(lost)


async def test_a_journal_does_not_carry_over_to_a_changed_file(tmp_path):
    world = World(tmp_path, {"a": pattern(2 * CHUNK)})
    await world.seal(journal=tmp_path / "journal")
    changed = pattern(CHUNK) + pattern(CHUNK, 5)
    (world.source / "a").write_bytes(changed)
    manifest = await world.publish()
    resumed = await world.seal(journal=tmp_path / "journal")
    assert resumed.form == manifest.sealing


async def test_a_journal_of_another_key_is_not_used(tmp_path):
    world = World(tmp_path, {"a": pattern(CHUNK)})
    first = await world.seal(journal=tmp_path / "journal")
    world.key = ContentKey.generate()
    second = await world.seal(journal=tmp_path / "journal")
    assert first.form.files != second.form.files


@pytest.mark.parametrize("cut", [1, 20, 48, 49, 60, 100, 130])
async def test_a_torn_journal_costs_only_time(tmp_path, cut):
    world = World(tmp_path, {"a": pattern(2 * CHUNK)})
    journal = tmp_path / "journal"
    first = await world.seal(journal=journal)
    journal.write_bytes(journal.read_bytes()[:cut])
    assert (await world.seal(journal=journal)).form == first.form
    assert (await world.seal(journal=journal)).form == first.form


def test_a_file_that_is_no_journal_is_left_alone(tmp_path):
    path = tmp_path / "novel.txt"
    path.write_text("It was a dark and stormy night.")
    with pytest.raises(SealingJournalUnusable):
        SealingJournal(path, bytes(32))
    assert path.read_text().startswith("It was")


def test_a_file_too_long_for_a_journal_is_not_read(tmp_path):
    path = tmp_path / "journal"
    path.write_bytes(b"CAIMI seal log 1" + b"\xff" * 32)
    os.truncate(path, 256 * 1024 * 1024 + 1)
    with pytest.raises(SealingJournalUnusable, match="has 268435457 bytes, too many"):
        SealingJournal(path, bytes(32))
    os.truncate(path, 256 * 1024 * 1024)
    with SealingJournal(path, bytes(32)) as journal:
        assert journal.recall(0, 0, bytes(32)) is None


def test_a_journal_is_its_owners_and_holds_each_chunk_once(tmp_path):
    path = tmp_path / "journal"
    cid = Cid.of(b"chunk")
    with SealingJournal(path, bytes(32)) as journal:
        journal.record(0, 0, bytes(32), cid)
        size = path.stat().st_size
        journal.record(0, 0, bytes(32), cid)
        assert path.stat().st_size == size
        journal.record(0, 0, b"\x01" * 32, cid)
        assert path.stat().st_size > size
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_journal_that_cannot_be_read_is_named_and_not_held_open(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    closed = []
    with monkeypatch.context() as patched:
        patched.setattr(os, "pread", fail)
        patched.setattr(os, "close", closed.append)
        with pytest.raises(SealingJournalUnusable, match=r"journal: Input/output error\.$"):
            SealingJournal(tmp_path / "journal", bytes(32))
    (descriptor,) = closed
    os.close(descriptor)


def test_a_journal_behind_a_symbolic_link_is_refused(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(SealingJournalUnusable):
        SealingJournal(tmp_path / "link", bytes(32))


@pytest.mark.parametrize("change", ["shorter", "longer", "gone", "link"])
async def test_a_file_that_changed_since_it_was_looked_at_is_refused(tmp_path, change):
    world = World(tmp_path, {"a": pattern(CHUNK)})
    file = world.source / "a"
    if change == "shorter":
        file.write_bytes(b"")
    elif change == "longer":
        file.write_bytes(pattern(CHUNK + 1))
    else:
        file.rename(tmp_path / "elsewhere")
        if change == "link":
            file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SourceChanged):
        await world.seal()


class Meddling(LocalStore):
    """Resizes the source while the first chunk is being stored."""

    victim: Path
    size: int

    def put_blocking(self, data, function=HashFunction.SHA2_256):
        os.truncate(self.victim, self.size)
        return super().put_blocking(data, function)


@pytest.mark.parametrize("size", [0, 40 * CHUNK + 1])
async def test_a_file_that_is_resized_while_it_is_read_is_refused(tmp_path, size):
    world = World(tmp_path, {"a": pattern(40 * CHUNK)})
    store = Meddling(tmp_path / "other")
    store.victim, store.size = world.source / "a", size
    with pytest.raises(SourceChanged):
        await world.seal(store=store)


async def test_a_cancelled_sealing_stops_and_can_go_on(tmp_path):
    world = World(tmp_path, {"a": pattern(20 * CHUNK)})
    before = threading.active_count()
    begun = asyncio.Event()
    task = asyncio.create_task(
        world.seal(journal=tmp_path / "journal", progress=lambda *_: begun.set())
    )
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert threading.active_count() < before + 20
    assert (await world.seal(journal=tmp_path / "journal")).form == (await world.seal()).form


class Held(LocalStore):
    """Holds what is put until its gate opens."""

    def __init__(self, root):
        super().__init__(root)
        self.begun, self.gate = threading.Event(), threading.Event()
        self.puts = []

    def put_blocking(self, data, function=HashFunction.SHA2_256):
        self.puts.append(len(data))
        self.begun.set()
        self.gate.wait()
        return super().put_blocking(data, function)


async def test_a_cancelled_sealing_reads_no_further(tmp_path):
    world = World(tmp_path, {"a": pattern(20 * CHUNK)})
    store = Held(tmp_path / "held")
    task = asyncio.create_task(world.seal(store=store))
    await asyncio.to_thread(store.begun.wait)
    task.cancel()
    await asyncio.sleep(0)
    store.gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    # What had a buffer when it was cancelled, and what waited for one.
    assert len(store.puts) <= 6 + 1


@pytest.mark.parametrize("size", [0, CHUNK - 1, 64 * CHUNK * 5])
async def test_chunk_sizes_out_of_bounds_are_refused(tmp_path, size):
    world = World(tmp_path, {"a": b"x"}, chunk_bytes=size)
    with pytest.raises(InvalidSealingTerms):
        await world.seal()


async def test_a_package_is_sealed_in_the_largest_chunks_and_no_larger(tmp_path):
    world = World(tmp_path, {"a": b"x"}, chunk_bytes=16 * 1024 * 1024)
    assert (await world.seal()).form.chunk_bytes == 16 * 1024 * 1024
    world.chunk_bytes += 1
    with pytest.raises(InvalidSealingTerms, match="Chunks of 16777217 bytes"):
        await world.seal()


@pytest.mark.parametrize(("model_id", "version"), [(b"short", "1"), (MODEL_ID, "1" * 65)])
async def test_terms_that_cannot_be_bound_are_refused(tmp_path, model_id, version):
    world = World(tmp_path, {"a": b"x"}, model_id=model_id, version=version)
    with pytest.raises(InvalidSealingTerms):
        await world.seal()


# -- the cipher alone


def seal_one(
    plain=b"plain",
    *,
    key=None,
    model_id=MODEL_ID,
    version="1",
    index=0,
    counter=0,
    last=True,
    chunk_bytes=CHUNK,
):
    cipher = (key or KEY).for_file(model_id, version, index, chunk_bytes)
    sealed = bytearray(len(plain) + OVERHEAD)
    cipher.seal_into(
        memoryview(plain), counter, last=last, so_far=bytes(32), sealed=memoryview(sealed)
    )
    return bytes(sealed)


def open_one(sealed, size=5, **place):
    place = {"model_id": MODEL_ID, "version": "1", "index": 0, "chunk_bytes": CHUNK, **place}
    counter, last = place.pop("counter", 0), place.pop("last", True)
    plain = bytearray(size)
    cipher = KEY.for_file(**place)
    cipher.open_into(memoryview(sealed), counter, last=last, plain=memoryview(plain))
    return bytes(plain)


KEY = ContentKey(b"k" * 32)


@given(st.binary(max_size=200), st.data())
def test_any_flipped_bit_of_a_chunk_is_refused(plain, data):
    sealed = bytearray(seal_one(plain))
    assert open_one(sealed, len(plain)) == plain
    bit = data.draw(st.integers(0, 8 * len(sealed) - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ChunkMisplaced):
        open_one(sealed, len(plain))


@pytest.mark.parametrize(
    "place",
    [
        {"counter": 1},
        {"last": False},
        {"index": 1},
        {"version": "2"},
        {"version": "1" * 2},
        {"model_id": bytes(32)},
        {"chunk_bytes": 2 * CHUNK},
    ],
)
def test_a_chunk_opens_in_no_other_place(place):
    sealed = seal_one()
    assert open_one(sealed) == b"plain"
    with pytest.raises(ChunkMisplaced):
        open_one(sealed, **place)


@pytest.mark.parametrize("length", [0, 6, 22, 27, 29])
def test_a_chunk_of_another_length_is_refused(length):
    with pytest.raises(ChunkTampered):
        open_one((seal_one() + bytes(9))[:length])


def test_a_key_of_another_length_is_refused():
    with pytest.raises(InvalidSealingTerms):
        ContentKey(b"short")


def test_a_key_equals_nothing_but_keys():
    key = ContentKey(b"k" * 32)
    assert key == KEY
    assert key != key.secret


@pytest.mark.parametrize("version", ["1", "1" * 64, "é" * 32])
def test_a_chunk_is_sealed_for_a_version_of_1_to_64_bytes(version):
    assert open_one(seal_one(version=version), version=version) == b"plain"


@pytest.mark.parametrize(
    ("model_id", "version"),
    [
        (bytes(31), "1"),
        (bytes(33), "1"),
        (MODEL_ID, ""),
        (MODEL_ID, "1" * 65),
        (MODEL_ID, "é" * 33),
    ],
)
def test_no_key_is_used_for_terms_that_cannot_be_told_apart(model_id, version):
    said = f"id of {len(model_id)} bytes and a version of {len(version.encode())} cannot"
    with pytest.raises(InvalidSealingTerms, match=said):
        KEY.for_file(model_id, version, 0, CHUNK)
    with pytest.raises(InvalidSealingTerms, match=said):
        ContentKey.derive(b"secret", model_id, version)


def test_a_content_key_is_derived_anew_for_each_version_and_shown_nowhere():
    key = SIGNER.content_key(MODEL_ID, "1.0.0")
    assert key == SIGNER.content_key(MODEL_ID, "1.0.0")
    assert key != SIGNER.content_key(MODEL_ID, "1.0.1")
    assert key != SIGNER.content_key(bytes(32), "1.0.0")
    assert key.secret.hex() not in repr(key)
    assert key.secret[:16] != key.fingerprint
    assert Cid.of(key.secret).digest[:16] != key.fingerprint
