"""Places where results go: tried before a result is paid for, and written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from caimi.errors.base import said_of
from caimi.errors.machine import SystemRefused
from caimi.errors.operations import OutputUnusable, ResultElsewhere
from caimi.whole_files import write_whole


def cache_folder() -> Path:
    """Give this user's directory for what can be made again.

    Raises:
        SystemRefused: nobody knows where the user's files are.
    """
    try:
        return Path.home() / ".cache" / "caimi"
    except RuntimeError as error:
        raise SystemRefused(
            "No home directory is known.",
            why="HOME is not set, and the system has no entry for this user.",
            next_step="Set HOME to a directory of your own and run the same command again.",
        ) from error


def check_file_place(place: Path) -> None:
    """See to it that a file can be written at `place`, and leave nothing there.

    Raises:
        OutputUnusable: it cannot.
    """
    with _as_unusable(place):
        kind = _kind(place)
        if kind == stat.S_IFDIR:
            raise OutputUnusable(f"{place} is a directory, not a file.")
        if kind and not os.access(place, os.W_OK):  # a pipe or a device is only asked, not opened
            raise OutputUnusable(f"{place} may not be written to by this user.")
        if kind in (0, stat.S_IFREG):
            _try_to_write_in(_real(place).parent)


def check_directory_place(place: Path) -> None:
    """See to it that a directory can be made at `place`, or written to, and leave nothing there.

    Raises:
        OutputUnusable: it cannot.
    """
    with _as_unusable(place):
        there = Path(os.path.abspath(place))  # noqa: PTH100 - links are not followed
        while not (kind := _kind(there)):
            there = there.parent
        if kind != stat.S_IFDIR:
            raise OutputUnusable(f"{there} is there already and is no directory.")
        _try_to_write_in(there)


def write_result(place: Path, data: bytes) -> None:
    """Write a file whole or not at all; what is no plain file (a pipe, say) is written to as it is.

    Raises:
        OSError: as the system says. Then what was at `place` before is there still.
    """
    if _kind(place) not in (0, stat.S_IFREG):
        with place.open("wb") as special:
            special.write(data)
        return
    mask = os.umask(0)
    os.umask(mask)
    write_whole(_real(place), data, 0o666 & ~mask)


def keep_result(place: Path, data: bytes, what: str) -> ResultElsewhere | None:
    """Write a result that cost something; where that fails, write it anywhere else.

    Gives the error to raise once everything else has been kept: it says where the result is now.
    """
    try:
        write_result(place, data)
    except (OSError, ValueError) as error:
        return save_elsewhere(
            data, place.suffix, f"{what} could not be written to {place}: {said_of(error)}"
        )
    return None


def save_elsewhere(data: bytes, ending: str, why: str) -> ResultElsewhere:
    """Write a result to any directory that takes it, and give the error that says where it is.

    Where there is no such directory, the error holds the result itself.
    """
    found = _elsewhere(data, ending)
    if found is not None:
        return ResultElsewhere(f"{why}. It is in {found}.")
    return ResultElsewhere(
        f"{why}; nor anywhere else. It is: {data.decode('utf-8', 'backslashreplace')}",
        next_step="Copy it from here; running the command again could cost again.",
    )


def _elsewhere(data: bytes, ending: str) -> Path | None:
    folders = [os.environ.get("TMPDIR"), "/tmp", "/var/tmp", os.environ.get("HOME"), "."]  # noqa: S108
    for folder in filter(None, folders):
        with contextlib.suppress(OSError, ValueError):
            descriptor, name = tempfile.mkstemp(ending, "caimi-result-", folder)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
            except BaseException:
                Path(name).unlink()
                raise
            return Path(name).absolute()
    return None


def _try_to_write_in(folder: Path) -> None:
    descriptor, name = tempfile.mkstemp(prefix=".caimi-", dir=folder)
    try:
        os.write(descriptor, b"\0")
    finally:
        os.close(descriptor)
        Path(name).unlink()


def _kind(place: Path) -> int:
    """Give the type of what is at a place, links followed; 0 for nothing."""
    try:
        return stat.S_IFMT(place.stat().st_mode)
    except FileNotFoundError:
        return 0


def _real(place: Path) -> Path:
    """Give the place that links lead to: a link is written through, and stays one."""
    return Path(os.path.realpath(place))


@contextlib.contextmanager
def _as_unusable(place: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        raise OutputUnusable(
            f"{str(place)[:200]!r} cannot be written to: {said_of(error)}."
        ) from error
