"""The one encoding of what contracts keep: frozen dataclasses and plain values, as RLP.

A record is the list of its fields in order. It is read strictly: one record has one encoding, and
bytes that are not such an encoding mean a damaged store, never a refusal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import IntEnum
from functools import cache
from typing import Any, Final, Generic, TypeVar, get_args, get_origin, get_type_hints

from caimi.contracts.state import State
from caimi.rlp_items import Item, decode_item, encode_item

K = TypeVar("K", bound="tuple[bytes | str | int, ...]")
V = TypeVar("V")


class Table(Generic[K, V]):
    """Records of one type under one prefix. A key is a tuple of bytes, texts and numbers."""

    def __init__(self, prefix: str, kind: type[V]) -> None:
        self._prefix = prefix.encode() + b"/"
        self._read = _reader(kind)

    def get(self, state: State, key: K) -> V | None:
        """Give the record at `key`, or None.

        Raises:
            RuntimeError: the store is damaged.
        """
        found = state.get(self._at(key))
        if found is None:
            return None
        try:
            value: V = self._read(decode_item(found))
        except ValueError as error:
            raise RuntimeError(f"What is kept of {key} is no record: {error}.") from error
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


@cache
def _hints(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: _bare(hints[field.name]) for field in fields(kind)}


def _bare(kind: Any) -> Any:  # noqa: ANN401 - a type as Python writes it
    while hasattr(kind, "__supertype__"):
        kind = kind.__supertype__
    return kind


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


def _reader(kind: Any) -> Callable[[Item], Any]:  # noqa: ANN401 - a type as Python writes it
    """Give what reads a record of a kind, or a part of one, and raises `ValueError` at others."""
    kind = _bare(kind)
    if kind in _PLAIN:
        return _PLAIN[kind]
    if get_origin(kind) is tuple:
        one = _reader(get_args(kind)[0])
        return lambda item: tuple([one(each) for each in _row(item)])
    if is_dataclass(kind):
        assert isinstance(kind, type)
        parts = [_reader(hint) for hint in _hints(kind).values()]
        return lambda item: kind(
            *[part(each) for part, each in zip(parts, _row(item), strict=True)]
        )
    assert issubclass(kind, IntEnum), f"{kind} has no encoding"
    return lambda item: kind(_number(item))


def _row(item: Item) -> Sequence[Item]:
    if isinstance(item, bytes):
        raise ValueError("bytes are no row")
    return item


def _bytes(item: Item) -> bytes:
    if not isinstance(item, bytes):
        raise ValueError("a row is no bytes")
    return item


def _number(item: Item) -> int:
    data = _bytes(item)
    if data[:1] == b"\0":
        raise ValueError("a number has no zero before it")
    return int.from_bytes(data)


def _truth(item: Item) -> bool:
    if item not in (b"", b"\1"):
        raise ValueError("this is no truth value")
    return item == b"\1"


def _text(item: Item) -> str:
    return _bytes(item).decode()


_PLAIN: Final[Mapping[type, Callable[[Item], Any]]] = {
    int: _number,
    bytes: _bytes,
    str: _text,
    bool: _truth,
}
