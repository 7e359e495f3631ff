"""Files of keys, whatever is in them: written once, for their owner alone; read within bounds."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from caimi.errors.operations import KeyExists, KeyLocked, KeyMissing
from caimi.whole_files import write_once

MAX_KEY_FILE_BYTES: Final = 1 << 16


def write_key(path: Path, content: bytes) -> None:
    """Write a key's file that only its owner may read, and see it to the disk.

    Raises:
        KeyExists: there is a file already.
    """
    try:
        write_once(path, content)  # half a key opens nothing, and takes no name
    except FileExistsError as error:
        raise KeyExists(f"There is already a key {path}.") from error


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
