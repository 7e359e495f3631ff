"""Pickles that begin somewhere inside other bytes, where no loader begins but some can be sent.

What begins at an offset by chance looks like a pickle for a few opcodes; what is meant to be loaded
calls something by its name, or goes on as a pickle for long.
"""

from __future__ import annotations

import ast
import io
import re
import sys
from typing import IO, Final

import numpy as np

from caimi.models.pickle_scan import PickleSigns, scan_hidden

_WINDOW: Final = 4 * 1024 * 1024
_AHEAD: Final = 64 * 1024
_BACK: Final = 256
_LONG: Final = 16
_MODULES: Final = sys.stdlib_module_names | {"__builtin__", "copy_reg", "numpy", "torch", "joblib"}
_STARTS: Final = re.compile(
    rb"\x80[\x02-\x05](?=[\x28-\x7d\x80-\x98])"
    rb"|\x93NUMPY[\x01-\x03]"
    rb"|[ci](?=([A-Za-z_]\w{0,40})[.\n][\w.\n]{0,200}\n)"
)


def find_inside(stream: IO[bytes]) -> str | None:
    """Give what is hidden in the bytes after the first, None where there is nothing."""
    window = stream.read(_WINDOW)
    begin = 0
    while window:
        more = stream.read(_WINDOW)
        # Whoever begins near the end of a window is looked at in the next, which holds all of it.
        end = len(window) - _AHEAD if more else len(window)
        for match in _STARTS.finditer(window, begin, end):
            if found := _look_at(window, match):
                return found
        kept = max(end - _BACK, 0)
        begin = end - kept
        window = window[kept:] + more if more else b""
    return None


def _look_at(window: bytes, match: re.Match[bytes]) -> str | None:
    start = match.start()
    if window.startswith(b"\x93NUMPY", start):
        return "a NumPy array of objects" if holds_objects(window[start : start + _AHEAD]) else None
    if match[1] is None:
        signs = _scan_at(window, start)
        framed = window[start + 2] == 0x95 and not any(window[start + 8 : start + 11])
        goes_on = (signs.cut_off or signs.calls) and (signs.opcodes >= _LONG or framed)
        return "a pickle" if signs.calls_named or signs.endless or goes_on else None
    if match[1].decode() not in _MODULES:
        return None
    # What is called may stand behind its arguments, from the last mark on.
    before = window[max(start - _BACK, 0) : start]
    marks = [start - len(before) + at for at, byte in enumerate(before) if byte == ord("(")]
    return "a pickle" if any(_scan_at(window, at).calls_named for at in (start, *marks)) else None


def _scan_at(window: bytes, start: int) -> PickleSigns:
    return scan_hidden(io.BytesIO(window[start : start + _AHEAD]))


def holds_objects(head: bytes) -> bool:
    """Tell whether an array of NumPy's format holds objects, which are pickled, or may do so."""
    width = 2 if head[6:7] == b"\x01" else 4
    length = int.from_bytes(head[8 : 8 + width], "little")
    text = head[8 + width : 8 + width + length]
    try:
        header = ast.literal_eval(text.decode("latin-1").strip())
        return bool(np.lib.format.descr_to_dtype(header["descr"]).hasobject)
    except (ValueError, SyntaxError, TypeError, KeyError, MemoryError, RecursionError):
        return b"O" in text or b"\\" in text
