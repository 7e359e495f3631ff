"""Erased model versions, for ever: a file that only grows."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Final, Protocol

from caimi.custody.label import LABEL_TAG, MODEL_ID_BYTES
from caimi.errors.custody import TombstoneFileError
from caimi.whole_files import sync_directory

_LABEL_BYTES: Final = len(LABEL_TAG) + MODEL_ID_BYTES + 32


class Tombstones(Protocol):
    """The labels that a custodian answers no more."""

    def holds(self, label: bytes) -> bool:
        """Tell whether `label` is erased, from memory: no other task may run in between."""

    async def add(self, label: bytes) -> None:
        """Erase `label`; returns when the record is durable."""


class FileTombstones:
    """Tombstones in a text file, a label in hexadecimal a line, on disk before `add` ends.

    Raises:
        TombstoneFileError: the file cannot be read or written, or a complete line is damaged. A
            torn last line, of an `add` that never returned, is cut off.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = asyncio.Lock()
        self._labels = _load(path)

    def holds(self, label: bytes) -> bool:
        """Tell whether `label` is erased."""
        return label in self._labels

    async def add(self, label: bytes) -> None:
        """Erase `label`: refused from now on, and on disk when this returns."""
        async with self._lock:
            # Refuse first: if writing fails, the label stays refused until the restart.
            self._labels.add(label)
            await asyncio.to_thread(_append, self._path, label)


def _load(path: Path) -> set[bytes]:
    try:
        if not path.exists():
            return set()
        text = path.read_bytes()
        complete = text[: text.rfind(b"\n") + 1]
        if complete != text:
            with path.open("r+b") as file:
                file.truncate(len(complete))
        labels = {bytes.fromhex(line.decode("ascii")) for line in complete.splitlines()}
    except (OSError, ValueError) as error:
        raise TombstoneFileError(f"The tombstones in {path} cannot be read: {error}.") from error
    if any(len(label) != _LABEL_BYTES for label in labels):
        raise TombstoneFileError(f"The tombstones in {path} hold something that is no label.")
    return labels


def _append(path: Path, label: bytes) -> None:
    try:
        is_new = not path.exists()
        with path.open("ab") as file:
            file.write(label.hex().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        if is_new:
            sync_directory(path.parent)
    except OSError as error:
        raise TombstoneFileError(f"The tombstone cannot be written to {path}: {error}.") from error
