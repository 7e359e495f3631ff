"""Files that are written whole or not at all, and are on the disk when that is said."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


def write_whole(place: Path, data: bytes, mode: int = 0o600) -> None:
    """Write a file, or write it anew: whatever kills this process, the old one or all of the new.

    It has exactly this `mode` before anything is in it. A link at `place` is replaced, and not
    followed.

    Raises:
        OSError: as the system says.
    """
    with _written_beside(place, data, mode) as temporary:
        temporary.replace(place)
    sync_directory(place.parent)


def write_once(place: Path, data: bytes, mode: int = 0o600) -> None:
    """Write a file as `write_whole` does, where nothing is.

    Raises:
        FileExistsError: something is there, be it a link to nothing.
        OSError: as the system says.
    """
    with _written_beside(place, data, mode) as temporary:
        os.link(temporary, place)
    sync_directory(place.parent)


def sync_directory(directory: Path) -> None:
    """Flush a directory, so that files just created or renamed in it survive a power cut.

    One that may be written to but not read is left to the system: nobody can flush it.
    """
    try:
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except PermissionError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def _written_beside(place: Path, data: bytes, mode: int) -> Iterator[Path]:
    """Give a file with `data` in the directory of `place`; what is left of it is removed."""
    descriptor, name = tempfile.mkstemp(prefix=".caimi-", dir=place.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        yield temporary
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
