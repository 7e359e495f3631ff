"""Files of keys, whatever is in them: written once, for their owner alone; read within bounds."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Final

from caimi.errors.operations import KeyExists, KeyLocked, KeyMissing

MAX_KEY_FILE_BYTES: Final = 1 << 16


def write_key(path: Path, content: bytes) -> None:
    """Write a key's file that only its owner may read, and see it to the disk.

    Raises:
        KeyExists: there is a file already.
    """
    handle, name = tempfile.mkstemp(prefix=".caimi-", dir=path.parent)  # of mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _take_name(Path(name), path)
    finally:
        Path(name).unlink(missing_ok=True)  # half a key opens nothing, and takes no name


def _take_name(whole: Path, path: Path) -> None:
    """Give a whole file its name, whatever kills this process; a name that is taken stays."""
    try:
        os.link(whole, path)
    except FileExistsError as error:
        raise KeyExists(f"There is already a key {path}.") from error
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_key(path: Path) -> bytes:
    """Read a key's file whole.

    Raises:
        KeyMissing: there is no such file.
        KeyLocked: it is longer than any key's file.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_KEY_FILE_BYTES + 1)
    except OSError as error:
        raise KeyMissing(f"The key {path} cannot be read: {error.strerror}.") from error
    if len(content) > MAX_KEY_FILE_BYTES:
        raise KeyLocked(f"The key {path} is too long to be one.")
    return content
