"""Unsealing: from sealed chunks to verified plain files, resumable, all or nothing.

The signature is checked first, over the digests that the manifest gives; then each chunk's hash
before it is opened, each chunk's place by opening it, and each file's SHA-256 and size before use.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
from collections import deque
from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from caimi.errors.models import CodeExecutingFormat, InvalidPackageSignature, PackageError
from caimi.errors.storage import (
    DestinationOccupied,
    FileMismatch,
    ObjectCorrupted,
    ObjectMissing,
    SourceChanged,
)
from caimi.models.content_key import ContentKey
from caimi.models.files import PackageFile
from caimi.models.interruption import Progress, Stopped, interruptible, reporter
from caimi.models.manifest import FileEntry, Manifest
from caimi.models.package import Package, PackageWarning
from caimi.models.sealed_reader import ChunkSource
from caimi.models.staging import Staging, naming
from caimi.models.verification import check_files, check_listing, verify_signature
from caimi.storage.port import Store, blocking

_AHEAD: Final = 3
_WORKERS: Final = 2
_BLOCK: Final = 1024 * 1024
_ASK: Final = (
    "Ask its publisher for ONNX or safetensors; in Python, `pull(…, permit=…)` takes the format."
)


@dataclass(frozen=True, slots=True)
class UnsealReport:
    """What was checked. `bundle` verifies with ``model_signing verify key`` and `public_key`.

    `resumed_bytes` of `total_bytes` were there from an earlier attempt, and were checked again.
    """

    destination: Path
    files: tuple[Path, ...]
    total_bytes: int
    resumed_bytes: int
    chunks_opened: int
    public_key: str
    bundle: bytes
    warnings: tuple[PackageWarning, ...] = ()


async def unseal(
    manifest: Manifest,
    store: Store,
    key: ContentKey,
    destination: Path,
    *,
    progress: Progress | None = None,
    permit: Collection[str] = (),
) -> UnsealReport:
    """Fetch, open and verify all files, then put them at `destination` by one rename.

    Each file's format is looked at as its publisher's CAIMI should have done: `permit` names those
    of `caimi.models.unsafe_formats.KINDS` that may run code when they are loaded.

    `destination` must be missing or an empty directory; when it already holds exactly these files,
    they are verified and left. An interrupted run is taken up by the next with the same manifest.

    Raises:
        WrongContentKey: the key is not this version's.
        InvalidPackageSignature: the bundle does not sign these files with the manifest's key.
        ChunkMissing, ChunkTampered, ChunkMisplaced: a chunk is not as the manifest says.
        FileMismatch: a whole file is not as the manifest says.
        CodeExecutingFormat, InvalidModel: a file is not what may be loaded; nothing is left of it.
        DestinationOccupied, DestinationBusy, DestinationFull: the place cannot be used.
        StorageError: the store failed.
    """
    source = ChunkSource(manifest, blocking(store), key)
    bundle = await fetch_bundle(manifest, store)
    stop = threading.Event()
    report = reporter(manifest.total_bytes, progress)
    run = _Unsealing(manifest, source, destination, stop, report, permit)
    resumed, opened = await interruptible(run.run, stop)
    return UnsealReport(
        destination=destination,
        files=tuple(destination / file.path for file in manifest.files),
        total_bytes=manifest.total_bytes,
        resumed_bytes=resumed,
        chunks_opened=opened,
        public_key=manifest.signature.public_key,
        bundle=bundle,
        warnings=run.warnings,
    )


async def fetch_bundle(manifest: Manifest, store: Store) -> bytes:
    """Give the signature bundle, verified against the manifest's files and public key.

    Raises:
        InvalidPackageSignature: it is missing, damaged, or does not sign these files.
        StorageError: the store failed.
    """
    signature = manifest.signature
    try:
        bundle = await store.get(signature.cid)
    except (ObjectMissing, ObjectCorrupted) as error:
        raise InvalidPackageSignature(f"The signature bundle: {error.what}") from error
    await asyncio.to_thread(verify_signature, manifest, bundle)
    return bundle


class _Unsealing:
    """One run; works in its own thread. `run` gives (bytes taken over, chunks opened)."""

    def __init__(
        self,
        manifest: Manifest,
        source: ChunkSource,
        destination: Path,
        stop: threading.Event,
        report: Callable[[int], None],
        permit: Collection[str],
    ) -> None:
        self._manifest = manifest
        self._source = source
        self._destination = destination
        self._stop = stop
        self._report = report
        self._permit = permit
        self.warnings: tuple[PackageWarning, ...] = ()
        self._resumed = 0
        self._opened = 0

    def run(self) -> tuple[int, int]:
        if self._is_there():
            return self._manifest.total_bytes, 0
        with (
            Staging(self._destination, self._manifest.digest) as staging,
            ThreadPoolExecutor(_WORKERS, "caimi-unseal") as workers,
        ):
            for index, file in enumerate(self._manifest.files):
                with staging.open(file.path) as descriptor:
                    self._file(index, file, descriptor, workers)
            try:
                self._look_at(check_listing(self._manifest, staging.path))
            except PackageError:
                staging.remove()
                raise
            staging.move_into_place()
        return self._resumed, self._opened

    def _look_at(self, files: list[PackageFile]) -> None:
        """Refuse what its publisher should have refused to publish."""
        try:
            self.warnings = Package.of_files(files, permit=self._permit).warnings
        except CodeExecutingFormat as error:
            raise CodeExecutingFormat(error.what, next_step=_ASK) from error

    def _is_there(self) -> bool:
        """Tell whether the destination holds these very files; an empty directory holds none."""
        with naming(self._destination):
            if not self._destination.is_symlink() and not self._destination.exists():
                return False
            if self._destination.is_dir() and not any(self._destination.iterdir()):
                return False
        try:
            files = check_files(self._manifest, self._destination)
        except (FileMismatch, PackageError, SourceChanged) as error:
            raise DestinationOccupied(f"{self._destination} is taken: {error.what}") from error
        self._look_at(files)
        self._report(self._manifest.total_bytes)
        return True

    def _file(
        self, index: int, file: FileEntry, descriptor: int, workers: ThreadPoolExecutor
    ) -> None:
        kept = self._kept(file, os.fstat(descriptor).st_size)
        while True:
            hasher = self._take_over(descriptor, kept)
            self._fetch(index, file, descriptor, kept, hasher, workers)
            if hasher.digest() == file.sha256:
                self._resumed += kept
                self._report(kept)
                return
            os.ftruncate(descriptor, 0)
            if not kept:
                raise FileMismatch(f"{file.path!r} has another SHA-256 than the manifest says.")
            # What an earlier attempt left was damaged, by a power cut perhaps: begin again.
            kept = 0

    def _kept(self, file: FileEntry, size: int) -> int:
        """Give how many bytes of an earlier attempt end at a chunk's end."""
        if size == file.size:
            return size
        return min(size, file.size) // self._source.chunk_bytes * self._source.chunk_bytes

    def _take_over(self, descriptor: int, kept: int) -> hashlib._Hash:
        hasher = hashlib.sha256()
        os.ftruncate(descriptor, kept)
        os.lseek(descriptor, 0, os.SEEK_SET)
        while block := os.read(descriptor, _BLOCK):
            self._check_stop()
            hasher.update(block)
        return hasher

    def _fetch(
        self,
        index: int,
        file: FileEntry,
        descriptor: int,
        kept: int,
        hasher: hashlib._Hash,
        workers: ThreadPoolExecutor,
    ) -> None:
        """Append the chunks from `kept` on, a few fetched and opened ahead."""
        cipher = self._source.cipher(index)
        chunks = len(self._manifest.sealing.files[index])
        # A file that is whole already has no chunk left; only an empty one still opens its chunk.
        first = chunks if kept == file.size > 0 else kept // self._source.chunk_bytes
        window: deque[Future[bytearray]] = deque()

        def open_chunk(counter: int) -> bytearray:
            plain = bytearray(self._source.length(index, counter))
            self._source.read_into(cipher, index, counter, memoryview(plain))
            return plain

        def finish() -> None:
            self._check_stop()
            plain = window.popleft().result()
            hasher.update(plain)
            rest = memoryview(plain)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            self._opened += 1
            self._report(len(plain))

        try:
            for counter in range(first, chunks):
                window.append(workers.submit(open_chunk, counter))
                if len(window) == _AHEAD:
                    finish()
            while window:
                finish()
        finally:
            for future in window:
                future.cancel()

    def _check_stop(self) -> None:
        if self._stop.is_set():
            raise Stopped
