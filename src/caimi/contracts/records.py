"""The one encoding of what contracts keep: frozen dataclasses and plain values, as RLP.

A record is the list of its fields in order. It is read strictly: one record has one encoding, and
bytes that are not such an encoding mean a damaged store, never a refusal.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from enum import IntEnum
from functools import cache
from typing import Any, Generic, TypeVar, get_args, get_origin, get_type_hints

import rlp
from rlp.sedes import CountableList, List, big_endian_int, binary, boolean, text

from caimi.contracts.state import State
from caimi.rlp_items import Item, encode_item

K = TypeVar("K", bound="tuple[bytes | str | int, ...]")
V = TypeVar("V")


class Table(Generic[K, V]):
    """Records of one type under one prefix. A key is a tuple of bytes, texts and numbers."""

    def __init__(self, prefix: str, kind: type[V]) -> None:
        self._prefix = prefix.encode() + b"/"
        self._kind = kind
        self._sedes = _sedes(kind)

    def get(self, state: State, key: K) -> V | None:
        """Give the record at `key`, or None."""
        found = state.get(self._at(key))
        if found is None:
            return None
        value: V = _revived(self._kind, rlp.decode(found, self._sedes))
        return value

    def put(self, state: State, key: K, value: V) -> None:
        """Write a record."""
        state.put(self._at(key), encode_item(_item(value)))

    def delete(self, state: State, key: K) -> None:
        """Forget the record at `key`, if there is one."""
        state.delete(self._at(key))

    def _at(self, key: K) -> bytes:
        return self._prefix + encode_item([_part(part) for part in key])


def _part(part: bytes | str | int) -> bytes:
    if isinstance(part, bytes):
        return part
    if isinstance(part, str):
        # A text that is no Unicode is never found, and breaks nothing.
        return part.encode("utf-8", "surrogatepass")
    return part.to_bytes((part.bit_length() + 7) // 8)


_PLAIN = {int: big_endian_int, bytes: binary, str: text, bool: boolean}


@cache
def _hints(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: _bare(hints[field.name]) for field in fields(kind)}


def _bare(kind: Any) -> Any:  # noqa: ANN401 - a type as Python writes it
    while hasattr(kind, "__supertype__"):
        kind = kind.__supertype__
    return kind


def _sedes(kind: Any) -> Any:  # noqa: ANN401 - rlp is untyped
    kind = _bare(kind)
    if kind in _PLAIN:
        return _PLAIN[kind]
    if get_origin(kind) is tuple:
        return CountableList(_sedes(get_args(kind)[0]))
    if is_dataclass(kind):
        assert isinstance(kind, type)
        return List([_sedes(hint) for hint in _hints(kind).values()])
    assert issubclass(kind, IntEnum), f"{kind} has no encoding"
    return big_endian_int


def _item(value: Any) -> Item:  # noqa: ANN401 - a record, or a part of one
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, int):  # a truth value is one
        return value.to_bytes((value.bit_length() + 7) // 8)
    if isinstance(value, tuple):
        return [_item(each) for each in value]
    kind: type = type(value)
    return [_item(getattr(value, name)) for name in _hints(kind)]


def _revived(kind: Any, found: Any) -> Any:  # noqa: ANN401 - a record, or a part of one
    kind = _bare(kind)
    if get_origin(kind) is tuple:
        return tuple(_revived(get_args(kind)[0], item) for item in found)
    if is_dataclass(kind):
        assert isinstance(kind, type)
        return kind(
            *(_revived(hint, item) for hint, item in zip(_hints(kind).values(), found, strict=True))
        )
    return kind(found)
