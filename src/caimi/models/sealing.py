"""Sealing: from a package's plain files to sealed chunks in a store, in one pass.

Each byte is read once. One thread reads and hashes the plain file; others encrypt chunks, hash
them and write them to the store, so that one core's hashing overlaps with the other's and with the
disk. A few chunk buffers go round; memory does not grow with the package.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import mmap
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from caimi.errors.ids import InvalidModelUri
from caimi.errors.storage import InvalidSealingTerms, SourceChanged
from caimi.models.attribution import signed_name
from caimi.models.content_key import OVERHEAD, ContentKey, FileCipher
from caimi.models.files import PackageFile
from caimi.models.interruption import Progress, Stopped, interruptible, reporter
from caimi.models.manifest import FileEntry
from caimi.models.package import Package
from caimi.models.sealed_form import (
    DEFAULT_CHUNK_BYTES,
    MAX_CHUNK_BYTES,
    MIN_CHUNK_BYTES,
    SealedForm,
    SignatureRecord,
    chunk_count,
)
from caimi.models.sealing_journal import SealingJournal
from caimi.models.signing import PackageSigner
from caimi.storage.cid import Cid, HashFunction
from caimi.storage.port import BlockingStore, Store, blocking

_WORKERS: Final = 8
_BUFFERS: Final = 10
_PIECE: Final = 1024 * 1024
"""Read and hashed at a time: what was just read is hashed while the processor still has it."""


@dataclass(frozen=True, slots=True)
class SealedPackage:
    """A package whose chunks and signature are in the store, ready for its manifest."""

    package: Package
    model_id: bytes
    version: str
    files: tuple[FileEntry, ...]
    form: SealedForm
    signature: SignatureRecord


async def seal(
    package: Package,
    store: Store,
    *,
    key: ContentKey,
    model_id: bytes,
    version: str,
    publisher: str,
    signer: PackageSigner,
    chunk_bytes: int = DEFAULT_CHUNK_BYTES,
    chunk_hash: HashFunction = HashFunction.BLAKE3,
    journal: Path | None = None,
    progress: Progress | None = None,
) -> SealedPackage:
    """Seal every file of a package into `store`, and sign the plain files as `publisher`'s.

    Sealing again with the same key gives the same chunks. With a `journal` file, an interrupted
    sealing goes on where it was: chunks in the store are neither sealed nor stored again.
    `chunk_hash` names the chunks: BLAKE3 unless told, since a second SHA-256 of every byte would
    take longer than all else together.

    Raises:
        InvalidSealingTerms: a chunk size, model id or version out of bounds.
        SourceChanged: a file changed meanwhile.
        SealingJournalUnusable: the journal is something else, or cannot be written.
        StorageError: the store refused, such as `StoreFull`; running again goes on from there.
    """
    if not MIN_CHUNK_BYTES <= chunk_bytes <= MAX_CHUNK_BYTES:
        raise InvalidSealingTerms(f"Chunks of {chunk_bytes} bytes are out of bounds.")
    try:
        name = signed_name(model_id, version, publisher)
    except InvalidModelUri as error:
        raise InvalidSealingTerms(error.what) from error
    terms = model_id + chunk_bytes.to_bytes(4) + bytes([chunk_hash]) + version.encode()
    stop = threading.Event()
    report = reporter(package.total_bytes, progress)
    work = _Sealing(
        blocking(store), key, (model_id, version), chunk_bytes, chunk_hash, stop, report
    )

    def run() -> tuple[list[FileEntry], list[tuple[Cid, ...]]]:
        with contextlib.ExitStack() as stack:
            if journal is not None:
                work.journal = stack.enter_context(SealingJournal(journal, key.binding(terms)))
            return work.run(package.files)

    files, chunks = await interruptible(run, stop)
    bundle = await asyncio.to_thread(signer.sign, name, {file.path: file.sha256 for file in files})
    cid = await store.put(bundle)
    return SealedPackage(
        package=package,
        model_id=model_id,
        version=version,
        files=tuple(files),
        form=SealedForm(chunk_bytes, key.fingerprint, tuple(chunks)),
        signature=SignatureRecord(cid, cid.digest, signer.public_key),
    )


class _Sealing:
    """One run over all files; `run` works in its own thread and owns the workers."""

    def __init__(
        self,
        store: BlockingStore,
        key: ContentKey,
        terms: tuple[bytes, str],
        chunk_bytes: int,
        chunk_hash: HashFunction,
        stop: threading.Event,
        report: Callable[[int], None],
    ) -> None:
        self._store = store
        self._key = key
        self._terms = terms
        self._chunk_hash = chunk_hash
        self._chunk_bytes = chunk_bytes
        self._stop = stop
        self._report = report
        self._plain: queue.SimpleQueue[bytearray] = queue.SimpleQueue()
        self._sealed: queue.SimpleQueue[mmap.mmap] = queue.SimpleQueue()
        self.journal: SealingJournal | None = None
        for _ in range(_BUFFERS):
            self._plain.put(bytearray(chunk_bytes))
        for _ in range(_WORKERS):
            # Page-aligned, which lets a store on a disk write it without another copy.
            self._sealed.put(mmap.mmap(-1, chunk_bytes + OVERHEAD))

    def run(self, files: tuple[PackageFile, ...]) -> tuple[list[FileEntry], list[tuple[Cid, ...]]]:
        """Seal all files; give their entries and the chunks of each."""
        entries: list[FileEntry] = []
        chunks: list[list[Cid]] = [[] for _ in files]
        window: deque[_Chunk] = deque()
        with ThreadPoolExecutor(_WORKERS, "caimi-seal") as workers:
            try:
                for index, file in enumerate(files):
                    cipher = self._key.for_file(*self._terms, index, self._chunk_bytes)
                    hasher = hashlib.sha256()
                    for chunk in self._begin(index, file, cipher, hasher, workers):
                        window.append(chunk)
                        while window and window[0].cid.done():
                            self._finish(window.popleft(), chunks)
                    entries.append(FileEntry(file.path, file.size, hasher.digest()))
                while window:
                    self._finish(window.popleft(), chunks)
            finally:
                for chunk in window:
                    chunk.cid.cancel()
        return entries, [tuple(cids) for cids in chunks]

    def _begin(
        self,
        index: int,
        file: PackageFile,
        cipher: FileCipher,
        hasher: hashlib._Hash,
        workers: ThreadPoolExecutor,
    ) -> Iterator[_Chunk]:
        """Read and hash a file chunk by chunk, and hand each chunk to a worker."""
        last = chunk_count(file.size, self._chunk_bytes) - 1
        with file.open() as source:
            for counter in range(last + 1):
                if self._stop.is_set():
                    raise Stopped
                # Waits for a worker to give a buffer back: this is what bounds memory.
                buffer = self._plain.get()
                length = min(self._chunk_bytes, file.size - counter * self._chunk_bytes)
                plain = memoryview(buffer)[:length]
                for start in range(0, length, _PIECE):
                    piece = plain[start : start + _PIECE]
                    _fill(source, piece, file)
                    hasher.update(piece)
                so_far = hasher.digest()
                cid = self._recall(index, counter, so_far)
                if cid.done():
                    self._plain.put(buffer)
                else:
                    place = (cipher, counter, counter == last, so_far)
                    cid = workers.submit(self._seal, buffer, length, *place)
                yield _Chunk(index, counter, length, so_far, cid)
            if source.read(1):
                raise SourceChanged(f"{file.path!r} grew while it was being sealed.")

    def _recall(self, index: int, counter: int, so_far: bytes) -> Future[Cid]:
        future: Future[Cid] = Future()
        if self.journal is not None:
            cid = self.journal.recall(index, counter, so_far)
            if cid is not None and self._store.has_blocking(cid):
                future.set_result(cid)
        return future

    def _seal(
        self,
        buffer: bytearray,
        length: int,
        cipher: FileCipher,
        counter: int,
        last: bool,
        so_far: bytes,
    ) -> Cid:
        sealed = self._sealed.get()
        try:
            view = memoryview(sealed)
            plain = memoryview(buffer)[:length]
            size = cipher.seal_into(plain, counter, last=last, so_far=so_far, sealed=view)
            return self._store.put_blocking(view[:size], self._chunk_hash)
        finally:
            self._sealed.put(sealed)
            self._plain.put(buffer)

    def _finish(self, chunk: _Chunk, chunks: list[list[Cid]]) -> None:
        cid = chunk.cid.result()
        chunks[chunk.index].append(cid)
        if self.journal is not None:
            self.journal.record(chunk.index, chunk.counter, chunk.so_far, cid)
        self._report(chunk.length)


@dataclass(frozen=True, slots=True)
class _Chunk:
    index: int
    counter: int
    length: int
    so_far: bytes
    cid: Future[Cid]


def _fill(source: BinaryIO, plain: memoryview, file: PackageFile) -> None:
    filled = 0
    while filled < len(plain):
        count = source.readinto(plain[filled:])  # type: ignore[attr-defined]
        if not count:
            raise SourceChanged(f"{file.path!r} became shorter while it was being sealed.")
        filled += count
