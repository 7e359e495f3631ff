"""Giving all files of a name another name: whole, whenever it is killed, and begun again.

A name is there when its own key's file is. Every file gets a second name (a hard link, which
replaces nothing), that one last; then the first names go, that one first. Until the link of the own
key the old name is whole, and from then on the new one: running it again finishes it.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from caimi.errors.operations import KeyExists, KeyMissing
from caimi.whole_files import sync_directory


def rename_files(directory: Path, old: str, new: str, own: str) -> None:
    """Rename ``old.*`` to ``new.*``; `own` is the ending of the file that makes a name.

    Raises:
        KeyMissing: there is no such name, and no renaming of it to finish.
        KeyExists: the new name has a file already.
        OSError: as the system says.
    """
    ours, theirs = _files(directory, old), _files(directory, new)
    if own in ours:
        if old == new or any(not _same(ours.get(end), file) for end, file in theirs.items()):
            raise KeyExists(f"There is already a key {new!r} in {directory}.")
    elif (
        not ours
        or own not in theirs
        or any(not _same(file, theirs.get(end)) for end, file in ours.items())
    ):
        raise KeyMissing(f"There is no key {old!r} in {directory}.")
    order = sorted(ours, key=lambda end: end == own)
    for end in order:
        if end not in theirs:
            os.link(ours[end], directory / f"{new}{end}")
    sync_directory(directory)
    for end in reversed(order):
        ours[end].unlink(missing_ok=True)
    sync_directory(directory)


def _files(directory: Path, name: str) -> dict[str, Path]:
    """Give a name's plain files by their endings; a name has no dot, so they are no other's."""
    return {
        file.name[len(name) :]: file
        for file in directory.glob(f"{name}.*")
        if stat.S_ISREG(file.lstat().st_mode)
    }


def _same(one: Path | None, other: Path | None) -> bool:
    return one is not None and other is not None and one.samefile(other)
