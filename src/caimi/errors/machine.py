"""Errors of the machine that CAIMI runs on: files, disks, permissions, pipes (letter X)."""

from __future__ import annotations

import errno
import os
from typing import Final, Self

from caimi.errors.base import CaimiError

_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_DENIED: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_SHAPE: Final = frozenset(
    {errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOTEMPTY}
)
_MEMORY: Final = frozenset({errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EAGAIN})


class SystemRefused(CaimiError):
    """The operating system refused something that a command needs."""

    code = "CAIMI-X001"
    why = "The system's own message is given above."
    next_step = "Mend the cause and run the same command again."

    @classmethod
    def of(cls, error: OSError, doing: str = "") -> Self:
        """Say what an operating system's error means; `doing` tells what was tried, in words."""
        place = error.filename if error.filename is not None else ""
        place = os.fsdecode(place) if isinstance(place, (str, bytes)) else str(place)
        said = error.strerror or str(error) or type(error).__name__
        said = said[:1].lower() + said[1:].rstrip(".")
        where = f" {place}" if place else ""
        what = f"{doing}: {said}{where and ':'}{where}." if doing else _sentence(said, place)
        why, following = _advice(error.errno, place)
        return cls(what, why=why, next_step=following)


class OutputLost(CaimiError):
    """What a command had to say could not be written to its output."""

    code = "CAIMI-X002"
    why = "Standard output is closed, full, or its reader went away."
    next_step = "Run the command again with its output in a file that has room."


def _sentence(said: str, place: str) -> str:
    return f"{place}: {said}." if place else f"The system says: {said}."


def _advice(number: int | None, place: str) -> tuple[str, str]:
    shown = place or "the path"
    if number in _ROOM:
        return (
            "The disk, the quota or the allowed file size is exhausted.",
            "Make room (`df -h` shows what is full) and run the same command again.",
        )
    if number in _DENIED:
        return (
            "This user may not do that there, or the file system is read-only.",
            f"Look at it with `ls -ld {shown}`: change its permissions, or name another place.",
        )
    if number == errno.ENOENT:
        return (
            "There is nothing at that path, or a directory on the way to it is missing.",
            "Make the directory, or name a place that exists.",
        )
    if number in _SHAPE:
        return (
            "Something else is at that path, or the path cannot be followed.",
            f"Look at it with `ls -ld {shown}`: move it out of the way, or name another place.",
        )
    if number in _MEMORY:
        return (
            "This machine has no memory, processes or open files left for it.",
            "End what is not needed, or raise the limits (`ulimit -a` shows them).",
        )
    return SystemRefused.why, SystemRefused.next_step
