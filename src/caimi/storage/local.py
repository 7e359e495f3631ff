"""A store in a local directory: one file an object, named by its CID.

Layout: ``<root>/objects/<two characters>/<cid>``, sharded by the two characters before the last (as
IPFS's flatfs does), and ``<root>/incoming/`` for objects being written. A write goes to a temporary
file, is synchronised, renamed, and its directory synchronised, so that after a crash an
object is there whole or not at all. Every access goes through directory descriptors and follows no
symbolic link.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import secrets
import stat
import time
from collections.abc import AsyncIterable, AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Final

from caimi.errors.storage import (
    InvalidCid,
    ObjectCorrupted,
    ObjectMissing,
    ObjectTooLarge,
    StorageError,
    StoreFull,
    StoreUnusable,
)
from caimi.storage.cid import Cid, HashFunction, Octets
from caimi.storage.port import MAX_OBJECT_BYTES
from caimi.storage.whole_file import read_bounded, write_whole

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_UNUSABLE: Final = frozenset(
    {errno.EACCES, errno.EPERM, errno.EROFS, errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.ENOENT}
)
_ABANDONED_SECONDS: Final = 24 * 3600


class LocalStore:
    """Objects in a local directory, which is made if it is missing.

    Implements `Store` and `BlockingStore`. Any number of processes may use one directory at once.

    Raises:
        StoreUnusable: the directory cannot be made or opened.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._kept_shards: set[str] = set()
        with _naming(f"The store at {root}"):
            for part in ("objects", "incoming"):
                (root / part).mkdir(mode=0o700, parents=True, exist_ok=True)
            self._objects = os.open(root / "objects", _DIRECTORY)
            try:
                self._incoming = os.open(root / "incoming", _DIRECTORY)
            except OSError:
                os.close(self._objects)
                raise
        self._sweep()

    def close(self) -> None:
        """Let go of the directory; the store cannot be used afterwards."""
        for name in ("_objects", "_incoming"):
            descriptor = getattr(self, name, -1)
            if descriptor >= 0:
                setattr(self, name, -1)
                os.close(descriptor)

    def __del__(self) -> None:
        self.close()

    # -- the asynchronous face

    async def put(
        self,
        data: Octets | AsyncIterable[bytes],
        function: HashFunction = HashFunction.SHA2_256,
    ) -> Cid:
        """Keep an object; see `Store.put`."""
        if not isinstance(data, bytes | bytearray | memoryview):
            data = await _gather(data)
        return await asyncio.to_thread(self.put_blocking, data, function)

    async def get(self, cid: Cid) -> bytes:
        """Give a checked object; see `Store.get`."""
        return await asyncio.to_thread(self.get_blocking, cid)

    async def has(self, cid: Cid) -> bool:
        """Tell whether an object is here; see `Store.has`."""
        return await asyncio.to_thread(self.has_blocking, cid)

    async def delete(self, cid: Cid) -> None:
        """Remove an object; see `Store.delete`."""
        await asyncio.to_thread(self._delete, cid)

    async def list(self) -> AsyncIterator[Cid]:
        """Give the name of every object here, shard by shard."""
        for shard in await asyncio.to_thread(self._shards):
            for cid in await asyncio.to_thread(self._names, shard):
                yield cid

    # -- the face for threads

    def put_blocking(self, data: Octets, function: HashFunction = HashFunction.SHA2_256) -> Cid:
        """Keep an object; see `Store.put`. A damaged object of the same name is replaced."""
        if len(data) > MAX_OBJECT_BYTES:
            raise ObjectTooLarge(f"An object of {len(data)} bytes; at most {MAX_OBJECT_BYTES}.")
        cid = Cid.of(data, function)
        with _naming(f"Storing {cid} in {self.root}"):
            if not self._is_whole(cid):
                self._write(cid, data)
        return cid

    def get_blocking(self, cid: Cid) -> bytes:
        """Give a checked object; see `Store.get`."""
        with _naming(f"Reading {cid} from {self.root}"):
            data = self._read(cid)
        if data is None:
            raise ObjectMissing(f"{cid} is not in {self.root}.")
        if len(data) > MAX_OBJECT_BYTES or not cid.matches(data):
            raise ObjectCorrupted(f"{cid} in {self.root} has other bytes than its name says.")
        return data

    def has_blocking(self, cid: Cid) -> bool:
        """Tell whether an object is here; see `Store.has`."""
        with _naming(f"Looking for {cid} in {self.root}"), self._shard(cid) as shard:
            if shard is None:
                return False
            try:
                found = os.stat(str(cid), dir_fd=shard, follow_symlinks=False)
            except FileNotFoundError:
                return False
            return stat.S_ISREG(found.st_mode)

    # -- files

    @contextlib.contextmanager
    def _shard(self, cid: Cid, *, create: bool = False) -> Iterator[int | None]:
        name = _shard_name(cid)
        try:
            shard = os.open(name, _DIRECTORY, dir_fd=self._objects)
        except FileNotFoundError:
            if not create:
                yield None
                return
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, 0o700, dir_fd=self._objects)
            shard = os.open(name, _DIRECTORY, dir_fd=self._objects)
        try:
            yield shard
        finally:
            os.close(shard)

    def _keep_shard(self, name: str) -> None:
        """Make a shard's own entry last, whichever process made it; once a shard is enough.

        After its objects were synchronised, so that both need one commit of the file system.
        """
        if name not in self._kept_shards:
            os.fsync(self._objects)
            self._kept_shards.add(name)

    def _is_whole(self, cid: Cid) -> bool:
        data = self._read(cid)
        return data is not None and len(data) <= MAX_OBJECT_BYTES and cid.matches(data)

    def _read(self, cid: Cid) -> bytes | None:
        with self._shard(cid) as shard:
            if shard is None:
                return None
            try:
                descriptor = os.open(str(cid), _READ, dir_fd=shard)
            except FileNotFoundError:
                return None
            try:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise OSError(errno.ENOTDIR, "not a plain file")
                return read_bounded(descriptor, MAX_OBJECT_BYTES)
            finally:
                os.close(descriptor)

    def _write(self, cid: Cid, data: Octets) -> None:
        temporary = f"{os.getpid()}-{secrets.token_hex(8)}"
        descriptor = os.open(temporary, _CREATE, 0o600, dir_fd=self._incoming)
        try:
            try:
                write_whole(descriptor, memoryview(data).cast("B"))
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            with self._shard(cid, create=True) as shard:
                os.rename(temporary, str(cid), src_dir_fd=self._incoming, dst_dir_fd=shard)
                if shard is not None:
                    os.fsync(shard)
                self._keep_shard(_shard_name(cid))
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary, dir_fd=self._incoming)
            raise

    def _delete(self, cid: Cid) -> None:
        with _naming(f"Deleting {cid} from {self.root}"), self._shard(cid) as shard:
            if shard is not None:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(str(cid), dir_fd=shard)
                    os.fsync(shard)

    def _shards(self) -> Sequence[str]:
        with _naming(f"Listing {self.root}"):
            return _entries(self._objects)

    def _names(self, shard: str) -> Sequence[Cid]:
        names = []
        with _naming(f"Listing {self.root}"):
            descriptor = os.open(shard, _DIRECTORY, dir_fd=self._objects)
            try:
                entries = _entries(descriptor)
            finally:
                os.close(descriptor)
        for name in entries:
            with contextlib.suppress(InvalidCid):
                names.append(Cid.parse(name))
        return names

    def _sweep(self) -> None:
        """Remove what a killed process left behind; younger files may be another's work."""
        horizon = time.time() - _ABANDONED_SECONDS
        with contextlib.suppress(OSError):
            for name in _entries(self._incoming):
                if os.stat(name, dir_fd=self._incoming, follow_symlinks=False).st_mtime < horizon:
                    os.unlink(name, dir_fd=self._incoming)


def _shard_name(cid: Cid) -> str:
    return str(cid)[-3:-1]


def _entries(directory: int) -> Sequence[str]:
    with os.scandir(directory) as entries:
        return sorted(entry.name for entry in entries)


async def _gather(stream: AsyncIterable[bytes]) -> bytearray:
    gathered = bytearray()
    async for part in stream:
        if len(gathered) + len(part) > MAX_OBJECT_BYTES:
            raise ObjectTooLarge(f"A stream went on past {MAX_OBJECT_BYTES} bytes.")
        gathered += part
    return gathered


@contextlib.contextmanager
def _naming(action: str) -> Iterator[None]:
    """Turn what the operating system refuses into the store's named errors."""
    try:
        yield
    except OSError as error:
        what = f"{action} failed: {error.strerror or error}."
        if error.errno in _NO_ROOM:
            raise StoreFull(what) from error
        if error.errno in _UNUSABLE:
            raise StoreUnusable(what) from error
        raise StorageError(what) from error
