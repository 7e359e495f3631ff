"""A private directory beside the destination, where files grow until all of them are verified.

It is named after the destination and the manifest's digest, so that an interrupted unsealing finds
its own work again and no other's. One process holds it at a time. It becomes the destination by one
rename: whoever looks there finds the whole package or nothing.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from caimi.errors.storage import DestinationBusy, DestinationFull, DestinationOccupied

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Staging:
    """Opened as a context manager; raises `DestinationBusy` or `DestinationOccupied`."""

    def __init__(self, destination: Path, digest: bytes) -> None:
        destination = Path(os.path.abspath(destination))  # noqa: PTH100 - links are not followed
        if not destination.name:
            raise DestinationOccupied(f"{destination} is the root of the file system.")
        self._destination = destination
        self._path = destination.with_name(f".{destination.name}.{digest.hex()[:16]}.unsealing")
        self._root = -1

    @property
    def path(self) -> Path:
        """Where the files grow."""
        return self._path

    def __enter__(self) -> Staging:
        with naming(self._destination):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                self._path.mkdir(mode=0o700)
            self._root = os.open(self._path, _DIRECTORY)
            try:
                fcntl.flock(self._root, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Between opening and locking, the holder before us may have moved it into place.
                same = os.path.samestat(os.fstat(self._root), self._path.lstat())
            except (BlockingIOError, FileNotFoundError):
                same = False
            if not same:
                os.close(self._root)
                raise DestinationBusy(f"{self._destination} is being unsealed to already.")
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._root)

    @contextlib.contextmanager
    def open(self, path: str) -> Iterator[int]:
        """Open a file for reading and writing, made with its directories where they are missing."""
        with naming(self._destination):
            *parts, name = path.split("/")
            with contextlib.ExitStack() as stack:
                directory = self._root
                for part in parts:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(part, 0o700, dir_fd=directory)
                    directory = os.open(part, _DIRECTORY, dir_fd=directory)
                    stack.callback(os.close, directory)
                descriptor = os.open(name, _FILE, 0o600, dir_fd=directory)
                stack.callback(os.close, descriptor)
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise OSError(errno.ENOTDIR, f"{path!r} is no plain file")
                yield descriptor
                os.fsync(descriptor)
                os.fsync(directory)

    def remove(self) -> None:
        """Remove all that was staged."""
        with naming(self._destination):
            shutil.rmtree(self._path)

    def move_into_place(self) -> None:
        """Make it the destination, which must be missing or an empty directory."""
        with naming(self._destination):
            os.fsync(self._root)
            self._path.rename(self._destination)
            parent = os.open(self._destination.parent, _DIRECTORY & ~os.O_NOFOLLOW)
            try:
                os.fsync(parent)
            finally:
                os.close(parent)


@contextlib.contextmanager
def naming(destination: Path) -> Iterator[None]:
    """Turn what the operating system refuses at the destination into named errors."""
    try:
        yield
    except OSError as error:
        what = f"Unsealing to {destination} failed: {error.strerror or error}."
        if error.errno in _NO_ROOM:
            raise DestinationFull(what) from error
        raise DestinationOccupied(what) from error
