"""Plain values as bytes: the one encoding of what acts are given, and of what they give and tell.

A value is bytes, a text, a number that is not negative, a truth value, nothing, or a row of values.
It is written as RLP: a letter for its kind, and what it is. No value has two encodings.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from caimi.rlp_items import Item, decode_item, encode_item

Value: TypeAlias = "bytes | str | int | bool | tuple[Value, ...] | None"

MAX_BYTES: Final = 8 << 20
"""How long an encoding is at most: as long as a hundred packets of the longest proofs."""


def encode_value(value: Value) -> bytes:
    """Write a value down; raises `ValueError` where it is none, or in rows too deep."""
    return encode_item(_tagged(value))


def decode_value(data: bytes) -> Value:
    """Read the one encoding of a value.

    Raises:
        ValueError: it is none, or is too long, or in rows too deep.
    """
    if len(data) > MAX_BYTES:
        raise ValueError(f"a value of {len(data)} bytes is too long")
    return _untagged(decode_item(data))


def _tagged(value: Value) -> list[Item]:
    match value:
        case None:
            return [b"n"]
        case bool():
            return [b"t" if value else b"f"]
        case int() if value < 0:
            raise ValueError(f"{value} is less than nothing")
        case int():
            return [b"i", value.to_bytes((value.bit_length() + 7) // 8)]
        case bytes():
            return [b"b", value]
        case str():
            return [b"s", value.encode()]
        case tuple():
            return [b"l", [_tagged(each) for each in value]]


def _untagged(found: Item) -> Value:
    match found:
        case [b"n"]:
            return None
        case [b"t" | b"f" as truth]:
            return bool(truth == b"t")
        case [b"i", bytes(number)] if number[:1] != b"\0":
            return int.from_bytes(number)
        case [b"b", bytes(data)]:
            return bytes(data)
        case [b"s", bytes(text)]:
            return bytes(text).decode()
        case [b"l", [*row]]:
            return tuple(_untagged(each) for each in row)
    raise ValueError("a value has a kind, and what it is")
