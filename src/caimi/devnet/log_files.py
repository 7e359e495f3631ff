"""The logs of a local network's processes, which may be large: read from their end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

MAX_TAIL_BYTES: Final = 1 << 20
_POLL_SECONDS: Final = 0.2
_CHUNK: Final = 1 << 16
_LONGEST_LINE: Final = 1 << 16


def last_lines(file: Path, count: int) -> list[str]:
    """Give the last lines of a file, of at most its last MiB; none where there is no file."""
    try:
        with file.open("rb") as handle:
            size = file.stat().st_size
            handle.seek(max(0, size - MAX_TAIL_BYTES))
            lines = handle.read(MAX_TAIL_BYTES).splitlines()
    except FileNotFoundError:
        return []
    return [_text(line) for line in lines[-count:]] if count else []


def new_lines(file: Path, *, sleep: float = _POLL_SECONDS) -> Iterator[str]:
    """Give each line that is written from now on, for ever; a file that is put aside is left."""
    place, rest = (file.stat().st_size, file.stat().st_ino) if file.exists() else (0, 0), b""
    while True:
        try:
            with file.open("rb") as handle:
                if (inode := file.stat().st_ino) != place[1] or file.stat().st_size < place[0]:
                    place, rest = (0, inode), b""
                handle.seek(place[0])
                while chunk := handle.read(_CHUNK):
                    place = (place[0] + len(chunk), inode)
                    *whole, rest = (rest + chunk).split(b"\n")
                    yield from map(_text, whole)
                    if len(rest) > _LONGEST_LINE:
                        yield _text(rest)
                        rest = b""
        except FileNotFoundError:
            pass
        time.sleep(sleep)


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace")
