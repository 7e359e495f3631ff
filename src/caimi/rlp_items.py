"""RLP, which Ethereum defines (Yellow Paper, appendix B): bytes, and rows of such items in rows.

For what is written and read all the time; each item has one encoding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

Item: TypeAlias = "bytes | Sequence[Item]"

MAX_DEPTH: Final = 100
"""How deep rows lie in rows at most."""
_BYTES, _ROW = 0x80, 0xC0
_SHORT: Final = 55


def encode_item(item: Item, depth: int = MAX_DEPTH) -> bytes:
    """Write an item down; raises `ValueError` where rows are too deep."""
    if isinstance(item, bytes):
        if len(item) == 1 and item[0] < _BYTES:
            return item
        return _head(_BYTES, len(item)) + item
    if not depth:
        raise ValueError("rows are too deep")
    row = b"".join([encode_item(each, depth - 1) for each in item])
    return _head(_ROW, len(row)) + row


def decode_item(data: bytes) -> Item:
    """Read the one encoding of an item, as bytes and lists.

    Raises:
        ValueError: it is none, or its rows are too deep.
    """
    item, end = _read(data, 0, len(data), MAX_DEPTH)
    if end != len(data):
        raise ValueError("an item has bytes after it")
    return item


def _head(kind: int, size: int) -> bytes:
    if size <= _SHORT:
        return bytes((kind + size,))
    written = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((kind + _SHORT + len(written),)) + written


def _read(data: bytes, at: int, end: int, depth: int) -> tuple[Item, int]:
    """Read the item at a place, none of which is at `end` or behind; give what follows it, too."""
    if at >= end:
        raise ValueError("an item is missing")
    first = data[at]
    if first < _BYTES:
        return data[at : at + 1], at + 1
    kind = _ROW if first >= _ROW else _BYTES
    at, size = at + 1, first - kind
    if size > _SHORT:
        count = size - _SHORT
        written = data[at : at + count]
        size = int.from_bytes(written)
        if size <= _SHORT or not written[0]:
            raise ValueError("a length has a shorter form")
        at += count
    following = at + size
    if following > end:
        raise ValueError("an item ends early")
    if kind == _BYTES:
        if size == 1 and data[at] < _BYTES:
            raise ValueError("a byte has a shorter form")
        return data[at:following], following
    if not depth:
        raise ValueError("rows are too deep")
    row: list[Item] = []
    while at < following:
        item, at = _read(data, at, following, depth - 1)
        row.append(item)
    return row, following
