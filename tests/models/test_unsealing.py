import asyncio
import dataclasses
import fcntl
import os
import pickle
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from dressing import tarred
from hypothesis import given, settings
from hypothesis import strategies as st
from sealed_world import CHUNK, MODEL_ID, PUBLISHER, SIGNER, World, write_files

from caimi.errors.models import CodeExecutingFormat, InvalidModel, InvalidPackageSignature
from caimi.errors.storage import (
    ChunkMisplaced,
    ChunkMissing,
    ChunkTampered,
    DestinationBusy,
    DestinationFull,
    DestinationOccupied,
    FileMismatch,
    UnknownSealedFile,
    WrongContentKey,
)
from caimi.models.attribution import signed_name
from caimi.models.content_key import ContentKey
from caimi.models.manifest import FileEntry
from caimi.models.package import Package
from caimi.models.sealed_reader import SealedReader
from caimi.models.signature_bundle import make_bundle
from caimi.models.signing import PackageSigner
from caimi.models.unsealing import unseal
from caimi.models.verification import verify_files
from caimi.storage import Cid, LocalStore

FILES = {"a.bin": os.urandom(3 * CHUNK + 17), "d/b.bin": os.urandom(2 * CHUNK), "empty": b""}
NAME = signed_name(MODEL_ID, "1.0.0", PUBLISHER)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path, FILES)


@pytest.fixture
async def manifest(world):
    return await world.publish()


def object_file(store, cid):
    return store.root / "objects" / str(cid)[-3:-1] / str(cid)


def with_chunks(manifest, files):
    form = dataclasses.replace(manifest.sealing, files=tuple(tuple(f) for f in files))
    return dataclasses.replace(manifest, sealing=form)


def nothing_left(tmp_path):
    assert not (tmp_path / "out").exists()


async def test_verified_files_arrive_with_a_report(world, manifest, tmp_path):
    seen = []
    out = tmp_path / "deep" / "out"
    report = await unseal(
        manifest, world.store, world.key, out, progress=lambda *done: seen.append(done)
    )
    assert {str(p.relative_to(out)): p.read_bytes() for p in report.files} == FILES
    assert report.chunks_opened == 7
    assert report.resumed_bytes == 0
    assert seen[-1] == (manifest.total_bytes, manifest.total_bytes)
    assert [p.name for p in out.parent.iterdir()] == ["out"]
    verify_files(manifest, report.bundle, out)


async def test_unsealing_again_verifies_what_is_there_and_fetches_nothing(
    world, manifest, tmp_path
):
    await unseal(manifest, world.store, world.key, tmp_path / "out")
    for chunks in manifest.sealing.files:
        for cid in chunks:
            await world.store.delete(cid)
    report = await unseal(manifest, world.store, world.key, tmp_path / "out")
    assert report.chunks_opened == 0


async def test_an_empty_directory_is_a_fine_destination(world, manifest, tmp_path):
    (tmp_path / "out").mkdir()
    report = await unseal(manifest, world.store, world.key, tmp_path / "out")
    assert all(p.exists() for p in report.files)


@pytest.mark.parametrize("what", ["file", "other", "extra", "changed", "link", "dangling"])
async def test_a_destination_with_something_else_is_left_untouched(world, manifest, tmp_path, what):
    out = tmp_path / "out"
    if what == "file":
        out.write_bytes(b"mine")
    elif what == "other":
        write_files(out, {"mine": b"mine"})
    elif what == "extra":
        write_files(out, {**FILES, "mine": b"mine"})
    elif what == "changed":
        write_files(out, {**FILES, "a.bin": FILES["a.bin"][:-1] + b"?"})
    elif what == "link":
        write_files(tmp_path / "elsewhere", FILES)
        out.symlink_to(tmp_path / "elsewhere")
    else:
        out.symlink_to(tmp_path / "nowhere")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DestinationOccupied):
        await unseal(manifest, world.store, world.key, out)
    after = [p for p in sorted(tmp_path.rglob("*")) if ".unsealing" not in str(p)]
    assert after == before


async def test_a_wrong_key_is_named_before_anything_is_fetched(world, manifest, tmp_path):
    with pytest.raises(WrongContentKey):
        await unseal(manifest, world.store, ContentKey.generate(), tmp_path / "out")
    nothing_left(tmp_path)


@pytest.mark.parametrize("index", range(4))
async def test_a_missing_chunk_is_named_and_its_return_completes_the_pull(
    world, manifest, tmp_path, index
):
    lost = manifest.sealing.files[0][index]
    data = await world.store.get(lost)
    await world.store.delete(lost)
    with pytest.raises(ChunkMissing, match=rf"Chunk {index} of 'a\.bin'"):
        await unseal(manifest, world.store, world.key, tmp_path / "out")
    nothing_left(tmp_path)
    await world.store.put(data, lost.function)
    report = await unseal(manifest, world.store, world.key, tmp_path / "out")
    # Chunks before the missing one were kept, and are not opened again.
    assert report.resumed_bytes == index * CHUNK
    assert report.chunks_opened == 7 - index


@pytest.mark.parametrize("damage", ["flip", "cut", "grow", "empty"])
async def test_a_tampered_or_truncated_chunk_is_named(world, manifest, tmp_path, damage):
    file = object_file(world.store, manifest.sealing.files[0][1])
    data = file.read_bytes()
    flipped = data[:100] + bytes([data[100] ^ 1]) + data[101:]
    file.write_bytes({"flip": flipped, "cut": data[:-1], "grow": data + b"x", "empty": b""}[damage])
    with pytest.raises(ChunkTampered):
        await unseal(manifest, world.store, world.key, tmp_path / "out")
    nothing_left(tmp_path)


def swapped_in_file(a, b, e):
    return [[a[1], a[0], *a[2:]], b, e]


def swapped_between_files(a, b, e):
    return [[b[0], *a[1:]], [a[0], *b[1:]], e]


def repeated(a, b, e):
    return [[a[0], a[0], *a[2:]], b, e]


def last_as_first(a, b, e):
    return [a, [b[1], b[0]], e]


@pytest.mark.parametrize(
    "arrange", [swapped_in_file, swapped_between_files, repeated, last_as_first]
)
async def test_reordered_and_swapped_chunks_are_refused(world, manifest, tmp_path, arrange):
    wrong = with_chunks(manifest, arrange(*map(list, manifest.sealing.files)))
    with pytest.raises(ChunkMisplaced):
        await unseal(wrong, world.store, world.key, tmp_path / "out")
    nothing_left(tmp_path)


async def test_a_file_cut_off_at_a_chunk_border_is_refused(world, manifest, tmp_path):
    entry = manifest.files[1]
    cut = dataclasses.replace(entry, size=CHUNK)
    files = (manifest.files[0], cut, manifest.files[2])
    form = list(manifest.sealing.files)
    form[1] = form[1][:1]
    wrong = dataclasses.replace(
        manifest,
        files=files,
        sealing=dataclasses.replace(manifest.sealing, files=tuple(form)),
    )
    with pytest.raises(ChunkMisplaced):
        await unseal(wrong, world.store, world.key, tmp_path / "out")
    nothing_left(tmp_path)


@pytest.mark.parametrize("other", [{"version": "1.0.1"}, {"model_id": bytes(32)}])
async def test_chunks_of_another_version_or_model_are_refused(world, manifest, tmp_path, other):
    twin = World(tmp_path / "twin", FILES, key=world.key, **other)
    theirs = await twin.publish()
    await world.store.put(await twin.store.get(theirs.signature.cid))
    for chunks in theirs.sealing.files:
        for cid in chunks:
            await world.store.put(await twin.store.get(cid), cid.function)
    wrong = with_chunks(manifest, theirs.sealing.files)
    with pytest.raises(ChunkMisplaced):
        await unseal(wrong, world.store, world.key, tmp_path / "out")
    nothing_left(tmp_path)


async def test_a_file_that_is_not_the_signed_one_is_refused(world, manifest, tmp_path):
    """Publisher and signature agree on a digest that the chunks do not have."""
    files = tuple(
        FileEntry(f.path, f.size, bytes(32)) if f.path == "a.bin" else f for f in manifest.files
    )
    bundle = make_bundle(SIGNER._key, NAME, {f.path: f.sha256 for f in files})
    cid = await world.store.put(bundle)
    signature = dataclasses.replace(manifest.signature, cid=cid, sha256=cid.digest)
    wrong = dataclasses.replace(manifest, files=files, signature=signature)
    with pytest.raises(FileMismatch):
        await unseal(wrong, world.store, world.key, tmp_path / "out")
    nothing_left(tmp_path)


@pytest.mark.parametrize("fault", ["missing", "damaged", "other key", "other files", "old name"])
async def test_a_wrong_signature_stops_the_pull_before_any_chunk(world, manifest, tmp_path, fault):
    signature = manifest.signature
    digests = {f.path: f.sha256 for f in manifest.files}
    if fault == "missing":
        await world.store.delete(signature.cid)
    elif fault == "damaged":
        object_file(world.store, signature.cid).write_bytes(b"{}")
    elif fault == "other key":
        stranger = PackageSigner.generate()
        signature = dataclasses.replace(signature, public_key=stranger.public_key)
    elif fault == "old name":
        cid = await world.store.put(SIGNER.sign(f"0x{MODEL_ID.hex()}", digests))
        signature = dataclasses.replace(signature, cid=cid, sha256=cid.digest)
    else:
        cid = await world.store.put(SIGNER.sign(NAME, {**digests, "a.bin": bytes(32)}))
        signature = dataclasses.replace(signature, cid=cid, sha256=cid.digest)
    wrong = dataclasses.replace(manifest, signature=signature)
    with pytest.raises(InvalidPackageSignature):
        await unseal(wrong, world.store, world.key, tmp_path / "out")
    nothing_left(tmp_path)
    assert not list(tmp_path.glob(".out*"))


class Killed(LocalStore):
    """Ends its process at the n-th chunk fetched."""

    countdown = 0

    def get_blocking(self, cid):
        self.countdown -= 1
        if not self.countdown:
            os.kill(os.getpid(), 9)
        return super().get_blocking(cid)


PULL = """
import asyncio, pathlib, sys
sys.path[:0] = {path!r}
from test_unsealing import Killed
from caimi.models.content_key import ContentKey
from caimi.models.manifest import Manifest
from caimi.models.unsealing import unseal
root = pathlib.Path({root!r})
store = Killed(root / "store")
manifest = Manifest.parse((root / "manifest").read_bytes())
store.countdown = {kill}
asyncio.run(unseal(manifest, store, ContentKey(bytes.fromhex({key!r})), root / "out"))
"""


@pytest.mark.parametrize("kill", range(2, 9))
def test_a_pull_killed_at_any_chunk_is_completed_by_the_next(tmp_path, kill):
    world = World(tmp_path, FILES)
    manifest = world.published()
    (tmp_path / "manifest").write_bytes(manifest.canonical_bytes)
    program = PULL.format(
        path=[str(Path(__file__).parent)], root=str(tmp_path), kill=kill, key=world.key.secret.hex()
    )
    done = subprocess.run([sys.executable, "-c", program], check=False)
    assert done.returncode == -9
    nothing_left(tmp_path)
    report = asyncio.run(unseal(manifest, world.store, world.key, tmp_path / "out"))
    assert {str(p.relative_to(tmp_path / "out")): p.read_bytes() for p in report.files} == FILES
    assert not list(tmp_path.glob(".out*"))


@pytest.mark.parametrize("damage", ["flip", "partial", "overlong"])
async def test_damaged_remains_of_an_earlier_pull_are_replaced(world, manifest, tmp_path, damage):
    staging = tmp_path / f".out.{manifest.digest.hex()[:16]}.unsealing"
    remains = {
        "flip": b"?" + FILES["a.bin"][1 : 2 * CHUNK],
        "partial": FILES["a.bin"][: CHUNK + 100],
        "overlong": FILES["a.bin"] + b"more",
    }[damage]
    write_files(staging, {"a.bin": remains})
    report = await unseal(manifest, world.store, world.key, tmp_path / "out")
    assert (tmp_path / "out/a.bin").read_bytes() == FILES["a.bin"]
    assert report.resumed_bytes == {"flip": 0, "partial": CHUNK, "overlong": 3 * CHUNK}[damage]


async def test_links_planted_where_the_files_grow_are_not_followed(world, manifest, tmp_path):
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    staging = tmp_path / f".out.{manifest.digest.hex()[:16]}.unsealing"
    staging.mkdir()
    (staging / "a.bin").symlink_to(victim)
    with pytest.raises(DestinationOccupied):
        await unseal(manifest, world.store, world.key, tmp_path / "out")
    assert victim.read_bytes() == b"precious"


async def test_two_pulls_to_one_place_do_not_mix(world, manifest, tmp_path):
    staging = tmp_path / f".out.{manifest.digest.hex()[:16]}.unsealing"
    staging.mkdir()
    holder = os.open(staging, os.O_RDONLY)
    fcntl.flock(holder, fcntl.LOCK_EX)
    with pytest.raises(DestinationBusy):
        await unseal(manifest, world.store, world.key, tmp_path / "out")
    os.close(holder)
    await unseal(manifest, world.store, world.key, tmp_path / "out")


async def test_a_full_disk_is_named_and_the_next_attempt_goes_on(
    world, manifest, tmp_path, monkeypatch
):
    real = os.write
    written = 0

    def runs_out(descriptor, data):
        nonlocal written
        written += len(data)
        if written > 2 * CHUNK:
            raise OSError(28, "No space left on device")
        return real(descriptor, data)

    monkeypatch.setattr(os, "write", runs_out)
    with pytest.raises(DestinationFull):
        await unseal(manifest, world.store, world.key, tmp_path / "out")
    nothing_left(tmp_path)
    monkeypatch.undo()
    report = await unseal(manifest, world.store, world.key, tmp_path / "out")
    assert report.resumed_bytes == 2 * CHUNK


async def test_a_cancelled_pull_stops_and_can_go_on(world, manifest, tmp_path):
    begun = asyncio.Event()
    task = asyncio.create_task(
        unseal(manifest, world.store, world.key, tmp_path / "out", progress=lambda *_: begun.set())
    )
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await unseal(manifest, world.store, world.key, tmp_path / "out")


async def cancelled(task, begun, gate):
    """Cancel a pull that has begun and is held at a gate; it must end by that."""
    await asyncio.to_thread(begun.wait)
    task.cancel()
    await asyncio.sleep(0)
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_pull_cancelled_as_it_fetches_leaves_nothing_at_its_place(
    world, manifest, tmp_path, monkeypatch
):
    begun, gate, fetch = threading.Event(), threading.Event(), world.store.get_blocking

    def held(cid):
        if cid != manifest.signature.cid:
            begun.set()
            gate.wait()
        return fetch(cid)

    monkeypatch.setattr(world.store, "get_blocking", held)
    task = asyncio.create_task(unseal(manifest, world.store, world.key, tmp_path / "out"))
    await cancelled(task, begun, gate)
    nothing_left(tmp_path)


async def test_a_pull_cancelled_as_it_checks_what_is_there_already_leaves_nothing_at_its_place(
    tmp_path, monkeypatch
):
    content = {"a.bin": FILES["a.bin"]}
    world = World(tmp_path, content)
    manifest = await world.publish()
    staging = write_files(tmp_path / f".out.{manifest.digest.hex()[:16]}.unsealing", content)
    inode = (staging / "a.bin").stat().st_ino
    begun, gate, read = threading.Event(), threading.Event(), os.read

    def held(descriptor, size):
        if os.fstat(descriptor).st_ino == inode:
            begun.set()
            gate.wait()
        return read(descriptor, size)

    monkeypatch.setattr(os, "read", held)
    task = asyncio.create_task(unseal(manifest, world.store, world.key, tmp_path / "out"))
    await cancelled(task, begun, gate)
    nothing_left(tmp_path)


@pytest.mark.parametrize("change", ["missing", "extra", "changed", "git"])
async def test_plain_files_that_differ_do_not_verify(world, manifest, tmp_path, change):
    report = await unseal(manifest, world.store, world.key, tmp_path / "out")
    if change == "missing":
        report.files[0].unlink()
    elif change == "changed":
        report.files[0].write_bytes(b"?" + FILES["a.bin"][1:])
    else:
        (tmp_path / "out" / {"extra": "extra", "git": ".gitignore"}[change]).write_bytes(b"x")
    with pytest.raises(FileMismatch):
        verify_files(manifest, report.bundle, tmp_path / "out")


async def test_the_right_files_do_not_verify_with_a_wrong_signature(world, manifest, tmp_path):
    report = await unseal(manifest, world.store, world.key, tmp_path / "out")
    forged = make_bundle(SIGNER._key, "other", {f.path: f.sha256 for f in manifest.files})
    with pytest.raises(InvalidPackageSignature, match="is for 'other'"):
        verify_files(manifest, forged, tmp_path / "out")
    verify_files(manifest, report.bundle, tmp_path / "out")


# -- reading in place


async def test_a_stream_gives_the_whole_file(world, manifest):
    reader = SealedReader(manifest, world.store, world.key)
    for path, content in FILES.items():
        assert b"".join([part async for part in reader.stream(path)]) == content


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_any_range_of_a_file_is_what_the_plain_file_has_there(data):
    async def run(reader):
        content = SHARED_FILES["a.bin"]
        offset = data.draw(st.integers(0, len(content)))
        length = data.draw(st.integers(0, len(content) - offset))
        assert await reader.open_range("a.bin", offset, length) == content[offset:][:length]

    async def main():
        await run(SealedReader(SHARED_MANIFEST, SHARED.store, SHARED.key))

    asyncio.run(main())


SHARED_FILES = {"a.bin": os.urandom(2 * CHUNK + 3)}
_KEEP = tempfile.TemporaryDirectory()
SHARED = World(Path(_KEEP.name), SHARED_FILES)
SHARED_MANIFEST = SHARED.published()


@pytest.mark.parametrize(
    ("path", "offset", "length"),
    [("nope", 0, 0), ("a.bin", -1, 1), ("a.bin", 0, 2 * CHUNK + 4), ("a.bin", 5, -2)],
)
async def test_a_range_that_is_not_there_is_refused(path, offset, length):
    reader = SealedReader(SHARED_MANIFEST, SHARED.store, SHARED.key)
    with pytest.raises(UnknownSealedFile):
        await reader.open_range(path, offset, length)


@pytest.mark.parametrize(("offset", "length"), [(0, 0), (0, 2 * CHUNK + 3), (2 * CHUNK + 3, 0)])
async def test_a_range_may_be_empty_and_may_be_all(offset, length):
    reader = SealedReader(SHARED_MANIFEST, SHARED.store, SHARED.key)
    content = SHARED_FILES["a.bin"][offset:][:length]
    assert await reader.open_range("a.bin", offset, length) == content


async def test_only_the_chunks_of_the_range_are_fetched(world, manifest):
    for cid in (manifest.sealing.files[0][0], *manifest.sealing.files[0][2:]):
        await world.store.delete(cid)
    reader = SealedReader(manifest, world.store, world.key)
    got = await reader.open_range("a.bin", CHUNK + 1, 10)
    assert got == FILES["a.bin"][CHUNK + 1 : CHUNK + 11]
    with pytest.raises(ChunkMissing):
        await reader.open_range("a.bin", 0, 1)


async def test_a_reader_refuses_another_key():
    with pytest.raises(WrongContentKey):
        SealedReader(SHARED_MANIFEST, SHARED.store, ContentKey.generate())


def test_the_shared_world_is_content_addressed():
    assert SHARED_MANIFEST.cid == Cid.of(SHARED_MANIFEST.canonical_bytes)


# -- what its publisher should have refused


def sealed_carelessly(tmp_path, files, monkeypatch):
    """A world whose publisher looked at nothing before sealing."""
    with monkeypatch.context() as careless:
        careless.setattr(
            "caimi.models.package._look_at", lambda files, *_: Package(tuple(files), "opaque")
        )
        return World(tmp_path, files)


BAD = {
    "pickle": (b"cos\nsystem\n(S'id'\ntR.", CodeExecutingFormat),
    "tar.gz of a pickle": (tarred(pickle.dumps(print), "w:gz"), CodeExecutingFormat),
    "seven zip": (b"7z\xbc\xaf\x27\x1c" + bytes(30), CodeExecutingFormat),
    "model.onnx": (b"no model", InvalidModel),
}


@pytest.mark.parametrize("name", BAD)
async def test_whoever_pulls_looks_again_before_files_get_their_names(tmp_path, name, monkeypatch):
    content, refusal = BAD[name]
    world = sealed_carelessly(tmp_path, {name: content, "w": b"w"}, monkeypatch)
    manifest = await world.publish()
    with pytest.raises(refusal, match=name):
        await unseal(manifest, world.store, world.key, tmp_path / "out" / "model")
    assert list((tmp_path / "out").iterdir()) == []


async def test_whoever_pulls_may_permit_a_format_and_is_warned(tmp_path, monkeypatch):
    content, _ = BAD["pickle"]
    world = sealed_carelessly(tmp_path, {"pickle": content}, monkeypatch)
    manifest = await world.publish()
    out = tmp_path / "out"
    report = await unseal(manifest, world.store, world.key, out, permit={"pickle"})
    assert [(warning.kind, warning.path) for warning in report.warnings] == [
        ("permitted-code", "pickle")
    ]
    with pytest.raises(CodeExecutingFormat) as raised:
        await unseal(manifest, world.store, world.key, out)
    assert "permit=" in raised.value.next_step
