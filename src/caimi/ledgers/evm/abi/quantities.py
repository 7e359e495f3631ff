"""Hexadecimal of the Ethereum execution API, read strictly: quantities, data, and fixed sizes."""

from __future__ import annotations

import re

from caimi.errors.ledgers import LedgerAnswerInvalid

_QUANTITY = re.compile(r"0x(0|[1-9a-fA-F][0-9a-fA-F]{0,63})")


def quantity(value: object) -> int:
    """Read a quantity of at most 256 bits.

    Raises:
        LedgerAnswerInvalid: it is something else.
    """
    if isinstance(value, str) and _QUANTITY.fullmatch(value):
        return int(value, 16)
    raise LedgerAnswerInvalid(f"The node sent {value!r:.80} where a quantity belongs.")


def data(value: object, size: int | None = None) -> bytes:
    """Read bytes, of exactly `size` when given.

    Raises:
        LedgerAnswerInvalid: it is something else.
    """
    if isinstance(value, str) and value.startswith("0x"):
        try:
            raw = bytes.fromhex(value[2:])
        except ValueError:
            raw = b""
        # `fromhex` passes over spaces, which make the text longer than its bytes.
        if len(value) == 2 + 2 * len(raw) and (size is None or len(raw) == size):
            return raw
    wanted = "bytes belong" if size is None else f"{size} bytes belong"
    raise LedgerAnswerInvalid(f"The node sent {value!r:.80} where {wanted}.")


def fields(value: object, *names: str) -> tuple[object, ...]:
    """Take the named fields of an object.

    Raises:
        LedgerAnswerInvalid: it is no object, or lacks one.
    """
    if not isinstance(value, dict):
        raise LedgerAnswerInvalid(f"The node sent {value!r:.80} where an object belongs.")
    try:
        return tuple(value[name] for name in names)
    except KeyError as missing:
        raise LedgerAnswerInvalid(f"The node left out the field {missing}.") from None


def hexed(raw: bytes) -> str:
    """Write bytes."""
    return "0x" + raw.hex()
