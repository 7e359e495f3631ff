"""Memory that two processes share, which the other one cannot take away."""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
from typing import Final

_SEALS: Final = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
"""A mapping of a file that was made shorter is a signal that ends the process which touches it."""


class SharedMemory:
    """Anonymous shared memory of at least one byte (memfd, Linux); it may grow."""

    def __init__(self, size: int) -> None:
        self.descriptor: Final = os.memfd_create("caimi", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(self.descriptor, max(size, 1))
            fcntl.fcntl(self.descriptor, fcntl.F_ADD_SEALS, _SEALS)
            self._map = mmap.mmap(self.descriptor, max(size, 1))
        except BaseException:
            os.close(self.descriptor)
            raise
        self.view = memoryview(self._map)

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return len(self.view)

    def grow(self, size: int) -> None:
        """Make it at least `size` bytes; views made before must be gone."""
        if size > self.size:
            os.ftruncate(self.descriptor, size)
            self.view.release()
            self._map.close()
            self._map = mmap.mmap(self.descriptor, size)
            self.view = memoryview(self._map)

    def close(self) -> None:
        """Give it back; what others still see of it stays until they are gone."""
        os.close(self.descriptor)
        with contextlib.suppress(BufferError):
            self.view.release()
            self._map.close()
