"""What is kept to be quick and can be made again: what there is, and removing what nobody uses."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from caimi.config import Config
from caimi.places import cache_folder

QUIET_SECONDS: Final = 600
"""What was written to so lately may still be in the making."""

_KINDS: Final = {
    "models": "what ledgers told of models, for searching",
    "modules": "a model compiled to WebAssembly",
    "code": "machine code of compiled models",
    "zig": "the compiler's own objects",
    "rates.json": "this machine's speed, from `caimi calibrate`",
}
_PULLED: Final = "a licensed model's plain files"
_PARTS: Final = ("-wal", "-shm", "-journal")
_PROCESSES: Final = Path("/proc")


@dataclass(frozen=True, slots=True)
class Cached:
    """One thing that can be made again: a file or directory; `seconds` since it was last written.

    `in_use` tells that a process has a file of it open, holds it, or wrote to it just now.
    """

    path: Path
    what: str
    size: int
    seconds: int
    in_use: bool


def cached(config: Config | None, clock: Callable[[], float] = time.time) -> list[Cached]:
    """List what is kept for this user, and what `config`'s network pulled; the largest first.

    Raises:
        SystemRefused: nobody knows where this user's files are.
        OSError: as the system says.
    """
    opened = _open_files()
    found = [_looked_at(path, what, clock(), opened) for path, what in _places(config)]
    return sorted(found, key=lambda each: (-each.size, each.path))


def clean(
    config: Config | None, older_than: float = 0.0, clock: Callable[[], float] = time.time
) -> tuple[list[Cached], list[Cached]]:
    """Remove what was last written more than so many seconds ago; gives it, and what is in use.

    A directory is first moved aside, so that whoever looks for it finds all of it or nothing.
    Raises as `cached`.
    """
    removed, kept = [], []
    for each in cached(config, clock):
        if each.seconds < older_than:
            continue
        if each.in_use:
            kept.append(each)
            continue
        _remove(each.path)
        removed.append(each)
    return removed, kept


def _places(config: Config | None) -> Iterator[tuple[Path, str]]:
    root = cache_folder()
    for top in _entries(root):
        what = _KINDS.get(top.name, "something else")
        if top.name in ("models", "modules"):
            yield from ((each, what) for each in _entries(top) if not _is_part(each))
        else:
            yield top, what
    if config is not None:
        for model in _entries(config.path(config.state) / "models"):
            yield from ((version, _PULLED) for version in _entries(model))


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _is_part(file: Path) -> bool:
    """Whether it belongs to a database beside it, and goes with that."""
    return file.name.endswith(_PARTS)


def _parts(file: Path) -> list[Path]:
    return [file.with_name(file.name + end) for end in _PARTS]


def _looked_at(path: Path, what: str, now: float, opened: frozenset[tuple[int, int]]) -> Cached:
    size, last, ids = 0, 0.0, set()
    for file in _all(path):
        try:
            told = file.lstat()
        except FileNotFoundError:  # it went while we looked
            continue
        size += told.st_size
        last = max(last, told.st_mtime)
        ids.add((told.st_dev, told.st_ino))
    age = max(0, int(now - last))
    busy = age < QUIET_SECONDS or not opened.isdisjoint(ids) or _is_held(path)
    return Cached(path, what, size, age, busy)


def _all(path: Path) -> Iterator[Path]:
    """Give a place, what is in it, and what belongs to it beside it; links are not followed."""
    yield path
    yield from _parts(path)
    for folder, folders, files in os.walk(path):
        yield from (Path(folder) / name for name in (*folders, *files))


def _is_held(path: Path) -> bool:
    """Whether another process holds it by a lock, as who unseals into a directory does."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


def _open_files() -> frozenset[tuple[int, int]]:
    """Give the files that processes of this user have open or mapped, where the system tells."""
    found: set[tuple[int, int]] = set()
    for process in _entries(_PROCESSES):
        if not process.name.isdecimal():
            continue
        for folder in ("fd", "map_files"):
            try:
                handles = list((process / folder).iterdir())
            except OSError:  # another's, or gone
                continue
            for handle in handles:
                try:
                    told = handle.stat()
                except OSError:
                    continue
                found.add((told.st_dev, told.st_ino))
    return frozenset(found)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        aside = path.with_name(f".{path.name}.{os.getpid()}.removed")
        path.rename(aside)
        shutil.rmtree(aside)
        return
    for part in _parts(path):
        part.unlink(missing_ok=True)
    path.unlink(missing_ok=True)
