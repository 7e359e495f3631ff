"""Pickles that begin somewhere inside other bytes, where no loader begins but some can be sent.

What begins at an offset by chance looks like a pickle for a few opcodes; what is meant to be loaded
calls something by its name, or goes on as a pickle for long.
"""

from __future__ import annotations

import ast
import io
import pickletools
import re
import string
import sys
from _compat_pickle import IMPORT_MAPPING
from collections.abc import Iterator
from functools import partial
from typing import IO, Final

import numpy as np
import numpy.typing as npt

from caimi.models.pickle_scan import PickleSigns, scan_hidden

_WINDOW: Final = 4 * 1024 * 1024
_BLOCK: Final = 256 * 1024  # fits into a core's cache
_AHEAD: Final = 64 * 1024
_BACK: Final = 256
_LONG: Final = 16
_OTHERS: Final = frozenset({"numpy", "torch", "joblib"})
# Unpicklers take the names that modules had in Python 2, too.
_MODULES: Final = sys.stdlib_module_names | IMPORT_MAPPING.keys() | _OTHERS
_FIRST: Final = "".join(
    opcode.code
    for opcode in pickletools.opcodes
    if not opcode.stack_before and opcode.name not in {"GET", "BINGET", "LONG_BINGET"}
)
_ANNOUNCED: Final = re.compile(b"\x80[\x02-\x05][%b]" % re.escape(_FIRST.encode("latin-1")))
_ARRAY: Final = re.compile(rb"\x93NUMPY[\x01-\x03]")
_LINES: Final = re.compile(rb"[\w.]\w\n[A-Za-z_][\w.]{0,200}\n")
_WORD: Final = (string.ascii_letters + string.digits + "_.").encode()


def find_inside(stream: IO[bytes]) -> str | None:
    """Give what is hidden in the bytes after the first, None where there is nothing."""
    window = stream.read(_WINDOW)
    begin = 0
    while window:
        more = stream.read(_WINDOW)
        # Whoever begins near the end of a window is looked at in the next, which holds all of it.
        end = len(window) - _AHEAD if more else len(window)
        for at in _promising(window, begin, end):
            if found := _look_at(window, at):
                return found
        kept = max(end - 2 * _BACK, 0)
        begin = end - kept
        window = window[kept:] + more if more else b""
    return None


def _promising(window: bytes, begin: int, end: int) -> Iterator[int]:
    """Give the places whose next bytes look like what is sought; all others are passed by.

    In blocks, by NumPy: a regular expression takes thirteen seconds a gigabyte.
    """
    codes = np.frombuffer(window, np.uint8)
    for at in range(begin, end, _BLOCK):
        size = min(_BLOCK, end - at, len(window) - 3 - at)
        here, second, third, fourth = (codes[at + k : at + k + max(size, 0)] for k in range(4))
        protocol = (here == 0x80) & (second - np.uint8(2) <= 3)
        array = (here == 0x93) & (second == ord("N"))
        # The end of a module's line, before a name: what is no letter has the eighth bit, or less.
        line = (third == ord("\n")) & _at_least("0", second) & _at_least("A", fourth)
        line &= _at_least(".", here)
        text = (here == 0x8C) & (second - np.uint8(2) <= 100) & _at_least("A", third)
        text &= _at_least(".", fourth)
        places = np.flatnonzero(protocol | array | line | text)
        yield from (at + place for place in places.tolist())


def _at_least(letter: str, codes: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    return codes.view(np.int8) >= ord(letter)


def _look_at(window: bytes, at: int) -> str | None:
    if _ARRAY.match(window, at):
        return "a NumPy array of objects" if holds_objects(window[at : at + _AHEAD]) else None
    if _ANNOUNCED.match(window, at):
        signs = _scan_at(window, at)
        framed = window[at + 2] == 0x95 and not any(window[at + 8 : at + 11])
        goes_on = (signs.cut_off or signs.calls) and (signs.opcodes >= _LONG or framed)
        return "a pickle" if signs.calls_named or signs.endless or goes_on else None
    if window[at] == 0x8C:
        text = window[at + 2 : at + 2 + window[at + 1]]
        starts = [at] if _module(text) in _MODULES else []
    else:
        starts = _imports(window, at + 2) if _LINES.match(window, at) else []
    return "a pickle" if any(map(partial(_calls, window), starts)) else None


def _imports(window: bytes, end: int) -> list[int]:
    """Give where imports of a known module may begin whose first line ends at `end`."""
    before = window[max(end - _BACK, 0) : end]
    word = len(before) - len(before.rstrip(_WORD))
    return [
        end - word + start
        for start, code in enumerate(before[-word:])
        if code in b"ci" and _module(before[len(before) - word + start + 1 :]) in _MODULES
    ]


def _module(text: bytes) -> str:
    return text.split(b".", 1)[0].decode("ascii", "replace")


def _calls(window: bytes, start: int) -> bool:
    """Tell whether what is imported at `start` is called."""
    # What is called may stand behind its arguments, from the last mark on.
    before = window[max(start - _BACK, 0) : start]
    marks = [start - len(before) + at for at, byte in enumerate(before) if byte == ord("(")]
    return any(_scan_at(window, at).calls_named for at in (start, *marks))


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
