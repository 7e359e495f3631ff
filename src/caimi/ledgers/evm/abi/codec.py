"""Encoding and decoding of ABI values, compiled once for each type (Solidity contract ABI).

A gateway's traffic is thousands of small tuples, which an interpreter of type strings walks again
each time: compiled, they take a tenth of that. Decoding is stricter than the specification's "in
practice": padding must be zero, and each tail must lie right behind the one before it, as every
compiler lays them out. So no part of an encoding is read twice, and a short one cannot say much.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

from eth_abi.grammar import ABIType, BasicType, TupleType, parse

Value: TypeAlias = Any
"""What an ABI type holds: int, bool, bytes, str, or tuples of these."""

_WORD = 32


class DecodingError(ValueError):
    """Bytes are no encoding of the types they should be."""


class EncodingError(ValueError):
    """A value does not fit its type."""


@dataclass(frozen=True, slots=True)
class Codec:
    """One type: `size` is the bytes of its head when it is static, `dynamic` whether it has a tail.

    `encode` gives a value's bytes; `decode` takes a value at an offset that holds at least `size`
    bytes and gives it with the offset behind it. They raise `EncodingError` and `DecodingError`.
    """

    size: int
    dynamic: bool
    encode: Callable[[Value], bytes]
    decode: Callable[[bytes, int], tuple[Value, int]]


@cache
def codec_of(types: tuple[str, ...]) -> Codec:
    """Compile the codec of a list of types, which is encoded as their tuple.

    Raises:
        ValueError: a type is not supported (fixed-point numbers, functions).
    """
    return _tuple([_compile(parse(kind)) for kind in types])


def _compile(kind: ABIType) -> Codec:
    if kind.arrlist:
        item, last = _compile(kind.item_type), kind.arrlist[-1]
        return _fixed_array(item, last[0]) if last else _array(item)
    if isinstance(kind, TupleType):
        return _tuple([_compile(part) for part in kind.components])
    assert isinstance(kind, BasicType)
    if (kind.base, kind.sub) in _PLAIN:
        return _PLAIN[kind.base, kind.sub]
    match kind.base, kind.sub:
        case "uint", int(bits):
            return _number(0, 1 << bits)
        case "int", int(bits):
            return _number(-(1 << (bits - 1)), 1 << (bits - 1))
        case "bytes", int(size):
            return _fixed_bytes(size)
    raise ValueError(f"ABI type {kind.base} is not supported")


def _number(least: int, beyond: int) -> Codec:
    signed = least < 0

    def encode(value: Value) -> bytes:
        if type(value) is not int or not least <= value < beyond:
            raise EncodingError(f"{value!r:.80} is not a number from {least} to {beyond - 1}")
        return value.to_bytes(_WORD, "big", signed=signed)

    def decode(data: bytes, at: int) -> tuple[Value, int]:
        value = int.from_bytes(data[at : at + _WORD], "big", signed=signed)
        if not least <= value < beyond:
            raise DecodingError(f"{value} is not a number from {least} to {beyond - 1}")
        return value, at + _WORD

    return Codec(_WORD, False, encode, decode)


def _fixed_bytes(size: int) -> Codec:
    padding = bytes(_WORD - size)

    def encode(value: Value) -> bytes:
        if not isinstance(value, bytes) or len(value) != size:
            raise EncodingError(f"{value!r:.80} is not {size} bytes")
        return value + padding

    def decode(data: bytes, at: int) -> tuple[Value, int]:
        if data[at + size : at + _WORD] != padding:
            raise DecodingError("bytes are not padded with zeros")
        return data[at : at + size], at + _WORD

    return Codec(_WORD, False, encode, decode)


def _encode_address(value: Value) -> bytes:
    if not isinstance(value, bytes) or len(value) != 20:
        raise EncodingError(f"{value!r:.80} is no address of 20 bytes")
    return bytes(12) + value


def _decode_address(data: bytes, at: int) -> tuple[Value, int]:
    if data[at : at + 12] != bytes(12):
        raise DecodingError("an address has more than 20 bytes")
    return data[at + 12 : at + _WORD], at + _WORD


def _encode_bool(value: Value) -> bytes:
    if not isinstance(value, bool):
        raise EncodingError(f"{value!r:.80} is neither true nor false")
    return int(value).to_bytes(_WORD)


def _decode_bool(data: bytes, at: int) -> tuple[Value, int]:
    value = int.from_bytes(data[at : at + _WORD])
    if value > 1:
        raise DecodingError(f"{value} is neither true nor false")
    return value == 1, at + _WORD


def _encode_bytes(value: Value) -> bytes:
    if not isinstance(value, bytes):
        raise EncodingError(f"{value!r:.80} is no bytes")
    return len(value).to_bytes(_WORD) + value + bytes(-len(value) % _WORD)


def _decode_bytes(data: bytes, at: int) -> tuple[Value, int]:
    start = at + _WORD
    stop = start + int.from_bytes(data[at:start])
    end = stop + (start - stop) % _WORD
    if end > len(data):
        raise DecodingError("bytes go beyond the end")
    if any(data[stop:end]):
        raise DecodingError("bytes are not padded with zeros")
    return data[start:stop], end


def _encode_text(value: Value) -> bytes:
    if not isinstance(value, str):
        raise EncodingError(f"{value!r:.80} is no text")
    try:
        return _encode_bytes(value.encode())
    except UnicodeEncodeError as error:
        raise EncodingError(f"a text is not UTF-8: {error}") from error


def _decode_text(data: bytes, at: int) -> tuple[Value, int]:
    raw, end = _decode_bytes(data, at)
    try:
        return raw.decode(), end
    except UnicodeDecodeError as error:
        raise DecodingError(f"a text is not UTF-8: {error}") from error


_PLAIN = {
    ("bytes", None): Codec(_WORD, True, _encode_bytes, _decode_bytes),
    ("string", None): Codec(_WORD, True, _encode_text, _decode_text),
    ("address", None): Codec(_WORD, False, _encode_address, _decode_address),
    ("bool", None): Codec(_WORD, False, _encode_bool, _decode_bool),
}


def _tuple(parts: Sequence[Codec]) -> Codec:
    head = sum(part.size for part in parts)
    dynamic = any(part.dynamic for part in parts)

    def encode(value: Value) -> bytes:
        if not isinstance(value, list | tuple) or len(value) != len(parts):
            raise EncodingError(f"{value!r:.80} are not {len(parts)} values")
        return _join(parts, value, head)

    def decode(data: bytes, at: int) -> tuple[Value, int]:
        return _take(parts, data, at, head)

    return Codec(_WORD if dynamic else head, dynamic, encode, decode)


def _fixed_array(item: Codec, count: int) -> Codec:
    return _tuple([item] * count)


def _array(item: Codec) -> Codec:
    def encode(value: Value) -> bytes:
        if not isinstance(value, list | tuple):
            raise EncodingError(f"{value!r:.80} is no list")
        count = len(value)
        return count.to_bytes(_WORD) + _join([item] * count, value, item.size * count)

    def decode(data: bytes, at: int) -> tuple[Value, int]:
        start = at + _WORD
        count = int.from_bytes(data[at:start])
        # An item without a size (an empty tuple) would let a length cost what it likes.
        if count * max(item.size, 1) > len(data) - start:
            raise DecodingError("a list goes beyond the end")
        return _take([item] * count, data, start, item.size * count)

    return Codec(_WORD, True, encode, decode)


def _join(parts: Sequence[Codec], values: Sequence[Value], head: int) -> bytes:
    heads: list[bytes] = []
    tails: list[bytes] = []
    at = head
    for part, value in zip(parts, values, strict=True):
        encoded = part.encode(value)
        if part.dynamic:
            heads.append(at.to_bytes(_WORD))
            tails.append(encoded)
            at += len(encoded)
        else:
            heads.append(encoded)
    return b"".join((*heads, *tails))


def _take(parts: Sequence[Codec], data: bytes, start: int, head: int) -> tuple[Value, int]:
    end = start + head
    if end > len(data):
        raise DecodingError("values go beyond the end")
    at = start
    values: list[Value] = []
    for part in parts:
        if not part.dynamic:
            value, at = part.decode(data, at)
        else:
            if int.from_bytes(data[at : at + _WORD]) != end - start or end + _WORD > len(data):
                raise DecodingError("a tail is not right behind the one before")
            value, end = part.decode(data, end)
            at += _WORD
        values.append(value)
    return tuple(values), end
