"""The record of a sealing in progress, so that an interrupted one repeats no finished chunk.

An append-only file: a header (magic, and a keyed hash of the terms of this sealing), then one
record a chunk: file index, counter, SHA-256 of the file up to the chunk's end, CID. A record counts
only while that hash is still the file's, so a stale, cut-off or foreign journal costs time, never
safety. It holds no secret beyond hashes of the plain files; its mode is 0600.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Final

from caimi.errors.storage import InvalidCid, SealingJournalUnusable
from caimi.storage.cid import Cid

_MAGIC: Final = b"CAIMI seal log 1"
_HEADER_BYTES: Final = len(_MAGIC) + 32
_RECORD: Final = struct.Struct(">II32s36s")
_MAX_BYTES: Final = 256 * 1024 * 1024


class SealingJournal:
    """Finished chunks by file index and counter; a context manager. One process at a time.

    Raises:
        SealingJournalUnusable: the file is something else, or cannot be read or written.
    """

    def __init__(self, path: Path, binding: bytes) -> None:
        self._path = path
        self._known: dict[tuple[int, int], tuple[bytes, Cid]] = {}
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self._descriptor = os.open(path, flags, 0o600)
        except OSError as error:
            raise self._unusable(error) from error
        try:
            self._load(_MAGIC + binding)
        except OSError as error:
            os.close(self._descriptor)
            raise self._unusable(error) from error
        except SealingJournalUnusable:
            os.close(self._descriptor)
            raise

    def recall(self, index: int, counter: int, so_far: bytes) -> Cid | None:
        """Give the finished chunk of that place, if the file is still the same up to its end."""
        known = self._known.get((index, counter))
        return known[1] if known is not None and known[0] == so_far else None

    def record(self, index: int, counter: int, so_far: bytes, cid: Cid) -> None:
        """Note that a chunk is in the store; raises `SealingJournalUnusable`."""
        if self.recall(index, counter, so_far) == cid:
            return
        self._known[index, counter] = (so_far, cid)
        try:
            os.write(self._descriptor, _RECORD.pack(index, counter, so_far, cid.to_bytes()))
        except OSError as error:
            raise self._unusable(error) from error

    def __enter__(self) -> SealingJournal:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def _load(self, header: bytes) -> None:
        size = os.fstat(self._descriptor).st_size
        if size > _MAX_BYTES:
            raise SealingJournalUnusable(f"{self._path} has {size} bytes, too many for a record.")
        data = os.pread(self._descriptor, size, 0)
        if not _MAGIC.startswith(data[: len(_MAGIC)]):
            raise SealingJournalUnusable(f"{self._path} is not a record of sealing.")
        end = len(header)
        if data[:_HEADER_BYTES] == header:
            while end + _RECORD.size <= len(data) and self._take(data, end):
                end += _RECORD.size
        else:
            os.pwrite(self._descriptor, header, 0)
        # A torn or foreign tail is cut off, so that what follows is aligned again.
        os.ftruncate(self._descriptor, end)
        os.lseek(self._descriptor, end, os.SEEK_SET)

    def _take(self, data: bytes, offset: int) -> bool:
        index, counter, so_far, raw = _RECORD.unpack_from(data, offset)
        try:
            self._known[index, counter] = (so_far, Cid.from_bytes(raw))
        except InvalidCid:
            return False
        return True

    def _unusable(self, error: OSError) -> SealingJournalUnusable:
        return SealingJournalUnusable(f"{self._path}: {error.strerror or error}.")
