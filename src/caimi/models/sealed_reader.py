"""Reading a sealed package in place: any range of any file, without unsealing it all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from caimi.errors.storage import (
    ChunkMissing,
    ChunkTampered,
    ObjectCorrupted,
    ObjectMissing,
    UnknownSealedFile,
    WrongContentKey,
)
from caimi.models.content_key import ContentKey, FileCipher
from caimi.models.manifest import Manifest
from caimi.storage.port import BlockingStore, Store, blocking


class ChunkSource:
    """Gives single plain chunks, each checked against the manifest. For threads.

    Raises:
        WrongContentKey: the key is not this version's.
    """

    def __init__(self, manifest: Manifest, store: BlockingStore, key: ContentKey) -> None:
        if key.fingerprint != manifest.sealing.key_fingerprint:
            raise WrongContentKey(f"{key!r} does not open {manifest.name!r} {manifest.version}.")
        self._manifest = manifest
        self._store = store
        self._key = key
        self.chunk_bytes = manifest.sealing.chunk_bytes

    def cipher(self, index: int) -> FileCipher:
        """Give the cipher of the file at `index`."""
        manifest = self._manifest
        return self._key.for_file(manifest.model_id, manifest.version, index, self.chunk_bytes)

    def length(self, index: int, counter: int) -> int:
        """Give a chunk's plain length in bytes."""
        return min(self.chunk_bytes, self._manifest.files[index].size - counter * self.chunk_bytes)

    def read_into(self, cipher: FileCipher, index: int, counter: int, plain: memoryview) -> None:
        """Fetch, check and open one chunk into a buffer of its plain length.

        Raises:
            ChunkMissing: no store holds it.
            ChunkTampered: its bytes are not those that the manifest names.
            ChunkMisplaced: it does not belong in this place.
            StorageError: the store failed.
        """
        chunks = self._manifest.sealing.files[index]
        where = f"Chunk {counter} of {self._manifest.files[index].path!r}"
        try:
            sealed = self._store.get_blocking(chunks[counter])
        except ObjectMissing as error:
            raise ChunkMissing(f"{where} is missing: {error.what}") from error
        except ObjectCorrupted as error:
            raise ChunkTampered(f"{where} was altered: {error.what}") from error
        last = counter == len(chunks) - 1
        cipher.open_into(memoryview(sealed), counter, last=last, plain=plain)


class SealedReader:
    """Random access to the files of a sealed package, in memory of one chunk at a time.

    Every chunk is authenticated in its place; only `unseal` checks the SHA-256 of whole files.
    Construction happens on the event loop and raises `WrongContentKey`.
    """

    def __init__(self, manifest: Manifest, store: Store, key: ContentKey) -> None:
        self._manifest = manifest
        self._source = ChunkSource(manifest, blocking(store), key)

    async def open_range(self, path: str, offset: int, length: int) -> bytes:
        """Give `length` bytes of a file from `offset` on.

        Raises:
            UnknownSealedFile: no such file, or the range reaches past its end.
            ChunkMissing, ChunkTampered, ChunkMisplaced, StorageError: see `ChunkSource.read_into`.
        """
        return b"".join([part async for part in self.stream(path, offset, length)])

    async def stream(
        self, path: str, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[bytes]:
        """Give a file, or `length` bytes from `offset` on, chunk by chunk; raises as above."""
        index = self._manifest.index_of(path)
        if index is None:
            raise UnknownSealedFile(f"There is no {path[:80]!r} in {self._manifest.name!r}.")
        size = self._manifest.files[index].size
        end = size if length is None else offset + length
        if not 0 <= offset <= end <= size:
            raise UnknownSealedFile(f"{path!r} has {size} bytes, not {offset} to {end}.")
        cipher = self._source.cipher(index)
        chunk_bytes = self._source.chunk_bytes
        while offset < end:
            counter, start = divmod(offset, chunk_bytes)
            plain = bytearray(self._source.length(index, counter))
            await asyncio.to_thread(
                self._source.read_into, cipher, index, counter, memoryview(plain)
            )
            part = bytes(memoryview(plain)[start : start + end - offset])
            yield part
            offset += len(part)
