"""Damaged copies of valid inputs: random bytes alone get no further than a decoder's first check.

Everything is drawn from the `Random` given, so that one seed gives the same inputs again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, TypeAlias

Damage: TypeAlias = Callable[[Random, bytearray, bytes], None]

_EDGES = (0x00, 0x01, 0x1F, 0x20, 0x7F, 0x80, 0x81, 0xB7, 0xB8, 0xC0, 0xF7, 0xF8, 0xFE, 0xFF)
_WORDS = (
    bytes(32),
    (1).to_bytes(32),
    (32).to_bytes(32),
    (1 << 32).to_bytes(32),
    ((1 << 64) - 1).to_bytes(32),
    b"\xff" * 32,
    b"\x80" * 10,
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\x00\x00\x00\x00",
)
_SNIPPETS = (
    "", "\0", "\n", " ", "\u00e9", "\u0661", "\ud800", "\U0001f600", "\u202e", "\ufeff", "%", "..",
    "/", "\\", ":", "::", "0x", "0X", "-", "+", "_", "e", "E9", "0", "00", "-1", "1.0", "1e999",
    "NaN", "null", "true", "[", "]", "{", "}", '"', ",", "'", "@", "#", "=", "9" * 25, "A" * 300,
    "depth:", "eip155:", "9" * 5_000, "[" * 200, '{"a":' * 150,
)  # fmt: skip
_ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 27, 255, 256, 1 << 31, 1 << 53, (1 << 53) + 1, 1 << 63, 1 << 64,
    1 << 256, -(1 << 63), 0.0, -0.0, 1.5, 1e308, float("inf"), float("nan"), "", "0", "0x", "0x0",
    "\0", "\ud800", "\u0661", "é", "x" * 300, "0x" + "00" * 32, "0x" + "ff" * 20, [], [[]], {},
    {"": {}}, [None], [1, 2], ["a"], [0] * 40,
)  # fmt: skip


def _flip(draw: Random, data: bytearray, _: bytes) -> None:
    if data:
        data[int(draw.random() * len(data))] ^= 1 << int(draw.random() * 8)


def _set(draw: Random, data: bytearray, _: bytes) -> None:
    if data:
        data[int(draw.random() * len(data))] = _EDGES[int(draw.random() * len(_EDGES))]


def _step(draw: Random, data: bytearray, _: bytes) -> None:
    """Change a number by one: lengths, counts and versions are numbers."""
    if data:
        at = int(draw.random() * len(data))
        data[at] = (data[at] + (1 if draw.random() < 0.5 else 255)) & 0xFF


def _cut(draw: Random, data: bytearray, _: bytes) -> None:
    del data[int(draw.random() * (len(data) + 1)) :]


def _remove(draw: Random, data: bytearray, _: bytes) -> None:
    at = int(draw.random() * (len(data) + 1))
    del data[at : at + 1 + int(draw.random() * 40)]


def _append(draw: Random, data: bytearray, _: bytes) -> None:
    data += draw.randbytes(1 + int(draw.random() * 40))


def _insert(draw: Random, data: bytearray, _: bytes) -> None:
    at = int(draw.random() * (len(data) + 1))
    data[at:at] = draw.randbytes(1 + int(draw.random() * 8))


def _repeat(draw: Random, data: bytearray, _: bytes) -> None:
    at = int(draw.random() * (len(data) + 1))
    data[at:at] = data[at : at + 1 + int(draw.random() * 64)]


def _overwrite(draw: Random, data: bytearray, _: bytes) -> None:
    """Put an edge number over a word; on a multiple of 32 as often as not, where ABI words lie."""
    word = _WORDS[int(draw.random() * len(_WORDS))]
    at = int(draw.random() * (len(data) + 1))
    if draw.random() < 0.5:
        at -= at % 32
    data[at : at + len(word)] = word


def _zero(draw: Random, data: bytearray, _: bytes) -> None:
    at = int(draw.random() * (len(data) + 1))
    end = min(len(data), at + 1 + int(draw.random() * 40))
    data[at:end] = bytes(max(0, end - at))


def _swap(draw: Random, data: bytearray, _: bytes) -> None:
    size = 32 if draw.random() < 0.5 else 1 + int(draw.random() * 8)
    if len(data) >= 2 * size:
        a = int(draw.random() * (len(data) - size + 1))
        b = int(draw.random() * (len(data) - size + 1))
        first, second = bytes(data[a : a + size]), bytes(data[b : b + size])
        data[a : a + size], data[b : b + size] = second, first


def _phrase(draw: Random, data: bytearray, _: bytes) -> None:
    at = int(draw.random() * (len(data) + 1))
    phrase = _SNIPPETS[int(draw.random() * len(_SNIPPETS))]
    data[at:at] = phrase.encode("utf-8", "surrogatepass")


def _splice(draw: Random, data: bytearray, other: bytes) -> None:
    at = int(draw.random() * (len(data) + 1))
    data[at:] = other[int(draw.random() * (len(other) + 1)) :]


_DAMAGES: Sequence[Damage] = (
    _flip, _flip, _set, _step, _step, _cut, _remove, _append, _insert, _repeat, _overwrite,
    _overwrite, _zero, _swap, _splice, _phrase,
)  # fmt: skip


def damaged_bytes(draw: Random, corpus: Sequence[bytes]) -> bytes:
    """Give a valid input with one to four damages; one time in 64 as it is."""
    data = bytearray(corpus[int(draw.random() * len(corpus))])
    if draw.random() < 1 / 64:
        return bytes(data)
    while True:
        damage = _DAMAGES[int(draw.random() * len(_DAMAGES))]
        damage(draw, data, corpus[int(draw.random() * len(corpus))])
        if draw.random() < 0.6:
            return bytes(data)


def damaged_text(draw: Random, corpus: Sequence[str]) -> str:
    """Give a valid text with one to four damages, some by what no keyboard types."""
    text = corpus[int(draw.random() * len(corpus))]
    if draw.random() < 1 / 64:
        return text
    while True:
        at = int(draw.random() * (len(text) + 1))
        kind = draw.random()
        if kind < 0.25:
            text = text[:at] + chr(0x20 + int(draw.random() * 95)) + text[at + 1 :]
        elif kind < 0.45:
            text = text[:at] + _SNIPPETS[int(draw.random() * len(_SNIPPETS))] + text[at:]
        elif kind < 0.55:
            text = text[:at] + _SNIPPETS[int(draw.random() * len(_SNIPPETS))] + text[at + 1 :]
        elif kind < 0.7:
            text = text[:at] + text[at + 1 + int(draw.random() * 4) :]
        elif kind < 0.78:
            text = text[:at]
        elif kind < 0.86:
            text = text[:at] + text[max(0, at - 8) :]
        elif kind < 0.93:
            text = text[:at] + text[at:].swapcase()
        else:
            other = corpus[int(draw.random() * len(corpus))]
            text = text[:at] + other[int(draw.random() * (len(other) + 1)) :]
        if draw.random() < 0.6:
            return text


def damaged_document(draw: Random, corpus: Sequence[Any]) -> Any:
    """Give a valid JSON document with one to four of its parts changed, removed, added or moved."""
    document = json.loads(corpus[int(draw.random() * len(corpus))])
    if draw.random() < 1 / 64:
        return document
    while True:
        document = _changed(draw, document)
        if draw.random() < 0.6:
            return document


def _changed(draw: Random, value: Any) -> Any:
    if isinstance(value, dict) and value and draw.random() < 0.9:
        return _changed_object(draw, value)
    if isinstance(value, list) and value and draw.random() < 0.85:
        at = int(draw.random() * len(value))
        kind = draw.random()
        if kind < 0.7:
            return [*value[:at], _changed(draw, value[at]), *value[at + 1 :]]
        if kind < 0.8:
            return value[:at] + value[at + 1 :]
        if kind < 0.9:
            return [*value[: at + 1], *value[at:]]
        return value[::-1]
    if isinstance(value, str) and draw.random() < 0.7:
        return damaged_text(draw, [value])
    if isinstance(value, int) and draw.random() < 0.5:
        return value + (1 if draw.random() < 0.5 else -1)
    return _ODD_VALUES[int(draw.random() * len(_ODD_VALUES))]


def _changed_object(draw: Random, value: dict[str, Any]) -> dict[str, Any]:
    names = list(value)
    name = names[int(draw.random() * len(names))]
    kind = draw.random()
    if kind < 0.75:
        return {**value, name: _changed(draw, value[name])}
    if kind < 0.83:
        return {**value, name: value[names[int(draw.random() * len(names))]]}
    if kind < 0.91:
        return {key: item for key, item in value.items() if key != name}
    if kind < 0.96:
        return {**value, damaged_text(draw, [name]): _ODD_VALUES[0]}
    return {damaged_text(draw, [name]) if key == name else key: v for key, v in value.items()}
