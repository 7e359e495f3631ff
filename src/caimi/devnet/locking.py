"""One program at a time does something with a local network."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from caimi.errors.node import DevnetBusy


@contextmanager
def locked(file: Path, what: str) -> Iterator[None]:
    """Hold a file's lock; the system gives it back when the process ends, however it does.

    Raises:
        DevnetBusy: another process holds it.
    """
    with file.open("ab") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DevnetBusy(f"Another {what} is at work in {file.parent}.") from None
        yield
