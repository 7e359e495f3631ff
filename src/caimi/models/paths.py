"""Which paths a package may hold: those that mean the same, and nothing else, on every system.

Relative POSIX paths in Unicode NFC. Refused: what climbs out (``..``, absolute, drive letters),
what another system reads differently (backslashes, ``:``, trailing dots and blanks, Windows device
names, control characters), and two paths that a case-folding file system would merge.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from caimi.errors.models import UnsafePath

MAX_PATH_BYTES: Final = 1024
MAX_PART_BYTES: Final = 200
MAX_DEPTH: Final = 32

_FORBIDDEN: Final = re.compile(r'[\\:*?"<>|]')
_DEVICES: Final = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$", "clock$"}
    | {f"{device}{number}" for device in ("com", "lpt") for number in "0123456789¹²³"}
)


def check_path(path: str) -> str:
    """Give `path` back if a package may hold it.

    Raises:
        UnsafePath: with the reason.
    """
    if not path or len(path.encode("utf-8", "surrogatepass")) > MAX_PATH_BYTES:
        raise UnsafePath(f"The path {path[:80]!r} is empty or over {MAX_PATH_BYTES} bytes.")
    for reason, found in (
        ("is absolute", path.startswith("/")),
        ("holds a backslash, colon or wildcard", _FORBIDDEN.search(path) is not None),
        ("holds control or unassigned characters", any(map(_is_invisible, path))),
        ("is not in Unicode NFC", unicodedata.normalize("NFC", path) != path),
    ):
        if found:
            raise UnsafePath(f"The path {path[:80]!r} {reason}.")
    parts = path.split("/")
    if len(parts) > MAX_DEPTH:
        raise UnsafePath(f"The path {path[:80]!r} has more than {MAX_DEPTH} parts.")
    for part in parts:
        _check_part(path, part)
    return path


def check_distinct(paths: Iterable[str]) -> None:
    """Refuse paths that name one file, or a file and a directory at once, on some system.

    Raises:
        UnsafePath: with the pair.
    """
    seen: dict[str, str] = {}
    for path in paths:
        folded = fold(path)
        if folded in seen:
            raise UnsafePath(
                f"{path[:80]!r} and {seen[folded][:80]!r} differ only in case or form."
            )
        seen[folded] = path
    for folded, path in seen.items():
        parent = folded
        while "/" in parent:
            parent = parent.rpartition("/")[0]
            if parent in seen:
                raise UnsafePath(
                    f"{seen[parent][:80]!r} is both a file and a directory of {path!r}."
                )


def fold(path: str) -> str:
    """Give what a file system that ignores case and Unicode form compares."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def _is_invisible(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def _check_part(path: str, part: str) -> None:
    if part in {"", ".", ".."}:
        raise UnsafePath(f"The path {path[:80]!r} holds an empty part, '.' or '..'.")
    if len(part.encode()) > MAX_PART_BYTES:
        raise UnsafePath(f"The path {path[:80]!r} has a part over {MAX_PART_BYTES} bytes.")
    if part != part.strip(" ") or part.endswith("."):
        raise UnsafePath(
            f"The path {path[:80]!r} has a part that begins or ends with a blank or dot."
        )
    if part.partition(".")[0].rstrip(" ").casefold() in _DEVICES:
        raise UnsafePath(f"The path {path[:80]!r} uses a reserved device name.")
    if re.fullmatch(r"git~[0-9]+|\.git", part, re.IGNORECASE):
        raise UnsafePath(f"The path {path[:80]!r} reaches into a Git directory.")
