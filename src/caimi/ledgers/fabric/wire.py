"""Reading protobuf messages of others: known fields only, and an error of ours where it is none.

Fabric's programs take more than this library reads: what is not known may be nested a hundred times
deeper, and numbers may be written longer. Whoever can send a transaction could make use of that, so
what is refused is read again without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from caimi.errors.fabric import FabricError

Message = TypeVar("Message", bound=Any)

NOT_NOW: Final = 503
"""The status of a chaincode's answer to what it takes on later, and refuses for nothing in it."""
VARINT: Final = 0
LENGTH: Final = 2
_GROUP: Final = 3
_GROUP_END: Final = 4
_FIXED: Final = {1: 8, 5: 4}
_MAX_VARINT_BYTES: Final = 10
_MAX_FIELD: Final = 2**29 - 1
_MAX_NESTED: Final = 90
"""Less than what the library takes of messages within messages."""


@dataclass(frozen=True, slots=True)
class WireField:
    """One field of an encoded message: its number and kind, and where it and its content are."""

    number: int
    kind: int
    start: int
    content: int
    end: int

    @property
    def shortest_head(self) -> bytes:
        """What is before the content of a field with a length, where it is written shortly."""
        return _varint(self.number << 3 | LENGTH) + _varint(self.end - self.content)


def read_message(
    kind: type[Message], encoded: bytes, error: type[FabricError], what: str = ""
) -> Message:
    """Read a message of a kind; what is not that is `error`.

    Raises:
        FabricError: as `error`; the bytes are no such message.
    """
    try:
        try:
            found: Message = kind.FromString(encoded)
        except DecodeError:
            found = kind.FromString(_known_part(kind.DESCRIPTOR, encoded, _MAX_NESTED))
    except (DecodeError, ValueError):
        name = what or kind.DESCRIPTOR.name
        raise error(f"{len(encoded)} bytes that should be a {name} are none.") from None
    return found


def wire_fields(encoded: bytes) -> Iterator[WireField]:
    """Give a message's fields as they are written, however deep what is in them.

    Raises:
        ValueError: it is no message.
    """
    at = 0
    while at < len(encoded):
        number, kind, content = _tag(encoded, at)
        start, at = at, content
        if kind == LENGTH:
            length, content = _number(encoded, at)
            at = content + length
        else:
            at = _behind_value(encoded, number, kind, at)
        if at > len(encoded):
            raise ValueError("a field is cut short")
        yield WireField(number, kind, start, content, at)


def _known_part(descriptor: Any, encoded: bytes, nested: int) -> bytes:  # noqa: ANN401 - a descriptor
    """Write a message again, shortly, without what it holds beside its kind's fields."""
    if not nested:
        raise ValueError("a message is too deep")
    written = bytearray()
    for field in wire_fields(encoded):
        known = descriptor.fields_by_number.get(field.number)
        if known is None or field.kind == _GROUP:
            continue
        content = encoded[field.content : field.end]
        if field.kind == LENGTH:
            if known.message_type is not None:
                content = _known_part(known.message_type, content, nested - 1)
            content = _varint(len(content)) + content
        elif field.kind == VARINT:
            content = _varint(_number(content, 0)[0])
        written += _varint(field.number << 3 | field.kind) + content
    return bytes(written)


def _behind_value(encoded: bytes, number: int, kind: int, at: int) -> int:
    """Tell where a value ends that has no length; a group may hold others."""
    open_groups: list[int] = []
    while True:
        if kind == _GROUP:
            open_groups.append(number)
        elif kind == _GROUP_END:
            if not open_groups or open_groups.pop() != number:
                raise ValueError("another group ends than began")
        elif kind == VARINT:
            at = _number(encoded, at)[1]
        elif kind == LENGTH:
            length, at = _number(encoded, at)
            at += length
        elif kind in _FIXED:
            at += _FIXED[kind]
        else:
            raise ValueError("a field is of no kind")
        if not open_groups:
            return at
        number, kind, at = _tag(encoded, at)


def _tag(encoded: bytes, at: int) -> tuple[int, int, int]:
    tag, behind = _number(encoded, at)
    if not 1 <= tag >> 3 <= _MAX_FIELD:
        raise ValueError("a field has no number")
    return tag >> 3, tag & 7, behind


def _number(encoded: bytes, at: int) -> tuple[int, int]:
    value = 0
    for index in range(_MAX_VARINT_BYTES):
        if at + index >= len(encoded):
            break
        byte = encoded[at + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value & (2**64 - 1), at + index + 1
    raise ValueError("a number does not end")


def _varint(value: int) -> bytes:
    written = bytearray()
    while value >= 0x80:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)
