"""Bytes in the JSON forms of what is signed."""

from __future__ import annotations

import re
from typing import Final

from caimi.errors.messaging import MessagingError

_LOWER_HEX: Final = re.compile("0x[0-9a-f]*")


def hex_field(error: type[MessagingError], text: object, size: int) -> bytes:
    """Read `size` bytes from 0x and lower-case digits: the one spelling; raises `error`."""
    if not isinstance(text, str) or len(text) != 2 + 2 * size or _LOWER_HEX.fullmatch(text) is None:
        raise error(f"A field must be 0x and {2 * size} lower-case hex digits.")
    return bytes.fromhex(text[2:])
