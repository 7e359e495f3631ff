"""Whole objects through a file descriptor: every byte written, never too many read."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from typing import Final

_PAGE: Final = 4096
_DIRECT_FROM: Final = 1024 * 1024
_DIRECT: Final = getattr(os, "O_DIRECT", 0)


def write_whole(descriptor: int, data: memoryview) -> None:
    """Write all of `data`: large objects past the page cache where system and buffer allow it.

    Objects are synchronised at once and seldom read soon, so caching them only costs a copy and
    drives out what others have cached. Needs a page-aligned buffer, as an anonymous `mmap` is.
    Raises what the operating system does.
    """
    aligned = len(data) - len(data) % _PAGE
    if _DIRECT and aligned >= _DIRECT_FROM:
        # A file system without direct access, or a buffer that is not aligned, says EINVAL.
        with contextlib.suppress(_NotDirect), _direct(descriptor):
            while aligned:
                written = os.write(descriptor, data[:aligned])
                data, aligned = data[written:], aligned - written
    while data:
        data = data[os.write(descriptor, data) :]


def read_bounded(descriptor: int, limit: int) -> bytes:
    """Read to the end, but never more than one byte over `limit`; raises as the system does."""
    size = min(os.fstat(descriptor).st_size, limit) + 1
    parts = []
    while size > 0 and (part := os.read(descriptor, size)):
        parts.append(part)
        size -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


class _NotDirect(Exception):
    """The write at hand cannot bypass the page cache."""


@contextlib.contextmanager
def _direct(descriptor: int) -> Iterator[None]:
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | _DIRECT)
        yield
    except OSError as error:
        if error.errno == errno.EINVAL:
            raise _NotDirect from error
        raise
    finally:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags)
