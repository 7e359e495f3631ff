"""Bytes as text: 0x and two hexadecimal digits a byte.

What machines write to each other, and what is signed, has one spelling: lower-case (`read_hex`).
People paste digits of either case (`read_either_case`).
"""

from __future__ import annotations

import re
from typing import Final

_LOWER: Final = re.compile(r"0x(?:[0-9a-f]{2})*")
_EITHER: Final = re.compile(r"0x(?:[0-9a-fA-F]{2})*")


def read_hex(text: object, size: int | None = None) -> bytes:
    """Read bytes, of exactly `size` where it is given, from lower-case digits.

    Raises:
        ValueError: it is anything else.
    """
    return _read(_LOWER, text, size)


def read_either_case(text: object, size: int | None = None) -> bytes:
    """Read bytes, of exactly `size` where it is given, from digits of either case.

    Raises:
        ValueError: it is anything else.
    """
    return _read(_EITHER, text, size)


def _read(form: re.Pattern[str], text: object, size: int | None) -> bytes:
    # The length comes first: it bounds what the expression looks at.
    if (
        not isinstance(text, str)
        or (size is not None and len(text) != 2 + 2 * size)
        or form.fullmatch(text) is None
    ):
        raise ValueError(f"not hexadecimal: {text!r:.80}")
    return bytes.fromhex(text[2:])
