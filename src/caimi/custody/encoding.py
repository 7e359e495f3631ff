"""Strict reading of the custody area's bytes and JSON: one valid form each, bounded in size."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NoReturn

from caimi.errors.custody import MalformedEncoding
from caimi.json_text import read_json

_HEX = re.compile(r"0x(?:[0-9a-f]{2})*")


class Reader:
    """Reads fields off the front of `data`; every method raises `MalformedEncoding` when it cannot.

    `what` names the thing that is read, for the error.
    """

    __slots__ = ("_data", "_offset", "_what")

    def __init__(self, data: bytes, what: str) -> None:
        self._data = data
        self._offset = 0
        self._what = _capital(what)

    def take(self, length: int) -> bytes:
        """Give the next `length` bytes."""
        end = self._offset + length
        if end > len(self._data):
            self.refuse(f"ends after {len(self._data)} bytes where at least {end} are needed")
        taken = self._data[self._offset : end]
        self._offset = end
        return taken

    def number(self, length: int, most: int) -> int:
        """Give the next big-endian unsigned integer of `length` bytes, at most `most`."""
        value = int.from_bytes(self.take(length), "big")
        if value > most:
            self.refuse(f"holds {value} where at most {most} is allowed")
        return value

    def expect(self, constant: bytes) -> None:
        """Consume `constant`, a version tag or magic."""
        if self.take(len(constant)) != constant:
            self.refuse("is of another format or version")

    def blob(self, most: int) -> bytes:
        """Give a field with a two-byte length in front, of at most `most` bytes."""
        return self.take(self.number(2, most))

    def finish(self) -> None:
        """Refuse trailing bytes."""
        if self._offset != len(self._data):
            self.refuse(f"has {len(self._data) - self._offset} bytes too many")

    def refuse(self, how: str) -> NoReturn:
        """Raise `MalformedEncoding` saying `how` the data is wrong."""
        raise MalformedEncoding(f"{self._what} {how}.")


def blob(data: bytes) -> bytes:
    """Encode a field of at most 65,535 bytes with its two-byte length in front."""
    return len(data).to_bytes(2, "big") + data


def hex_text(data: bytes) -> str:
    """Write bytes as lower-case hexadecimal with ``0x``, their one form in JSON here."""
    return "0x" + data.hex()


class Fields:
    """A JSON object with exactly known fields, read strictly.

    Refuses, with `MalformedEncoding`: text longer than `limit` bytes, invalid UTF-8 or JSON,
    duplicate, missing or unknown fields, and (in the methods) values of another type or size.
    """

    __slots__ = ("_values", "_what")

    def __init__(self, text: str | bytes, names: frozenset[str], what: str, limit: int) -> None:
        what = _capital(what)
        self._what = what
        self._values = _load_object(text, what, limit)
        if self._values.keys() != names:
            wrong = sorted(self._values.keys() ^ names)
            raise MalformedEncoding(f"{what} lacks or has unknown fields: {wrong[:5]!r:.200}.")

    def text(self, name: str, most: int) -> str:
        """Give a string of 1 to `most` characters that UTF-8 can hold."""
        value = self._values[name]
        if not isinstance(value, str) or not 1 <= len(value) <= most or not _is_utf8(value):
            raise MalformedEncoding(f"{self._what}: {name} must be text of 1 to {most} characters.")
        return value

    def expect(self, name: str, constant: str) -> None:
        """Refuse another value of a field than this one, a format's name and version."""
        if self._values[name] != constant:
            raise MalformedEncoding(f"{self._what}: {name} must be {constant}.")

    def raw(self, name: str) -> object:
        """Give a field as it was read, of any type."""
        return self._values[name]

    def texts(self, name: str, most: int, characters: int) -> list[str]:
        """Give a list of at most `most` strings of 1 to `characters` characters each."""
        value = self._values[name]
        if not isinstance(value, list) or len(value) > most:
            raise MalformedEncoding(f"{self._what}: {name} must be a list of at most {most}.")
        for each in value:
            if not isinstance(each, str) or not 1 <= len(each) <= characters or not _is_utf8(each):
                raise MalformedEncoding(f"{self._what}: {name} must hold texts.")
        return list(value)

    def data(self, name: str, least: int, most: int) -> bytes:
        """Give bytes written as ``0x`` and lower-case hexadecimal, `least` to `most` of them."""
        value = self._values[name]
        if not isinstance(value, str) or not 2 * least <= len(value) - 2 <= 2 * most:
            raise MalformedEncoding(f"{self._what}: {name} must be hex of {least} to {most} bytes.")
        if _HEX.fullmatch(value) is None:
            raise MalformedEncoding(f"{self._what}: {name} must be 0x and lower-case hex digits.")
        return bytes.fromhex(value[2:])

    def number(self, name: str, least: int, most: int) -> int:
        """Give an integer from `least` to `most`."""
        value = self._values[name]
        if type(value) is not int or not least <= value <= most:
            raise MalformedEncoding(
                f"{self._what}: {name} must be an integer from {least} to {most}."
            )
        return value


def _capital(what: str) -> str:
    return what[:1].upper() + what[1:]


def _load_object(text: str | bytes, what: str, limit: int) -> Mapping[str, object]:
    if len(text) > limit:
        raise MalformedEncoding(f"{what} is {len(text)} bytes long, more than {limit}.")
    try:
        value = read_json(
            text,
            object_pairs_hook=_no_duplicates(what),
            parse_float=_refuse_number(what),
            parse_constant=_refuse_number(what),
        )
    except (ValueError, RecursionError) as error:
        raise MalformedEncoding(f"{what} is not JSON.") from error
    if not isinstance(value, dict):
        raise MalformedEncoding(f"{what} is not a JSON object.")
    return value


def _no_duplicates(what: str) -> Callable[[list[tuple[str, object]]], dict[str, object]]:
    def build(pairs: list[tuple[str, object]]) -> dict[str, object]:
        built = dict(pairs)
        if len(built) != len(pairs):
            raise MalformedEncoding(f"{what} repeats a field.")
        return built

    return build


def _refuse_number(what: str) -> Callable[[str], object]:
    def refuse(written: str) -> NoReturn:
        raise MalformedEncoding(f"{what} holds the number {written[:20]}, not an integer.")

    return refuse


def _is_utf8(value: str) -> bool:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
