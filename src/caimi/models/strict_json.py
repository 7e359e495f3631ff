"""Canonical JSON, read without mercy: RFC 8785 bytes in, typed fields out.

A byte string is accepted when re-encoding what it says gives the very same bytes, so that one
content has one digest. Field readers refuse what is missing, unknown, of another type or out of
bounds, and name the place, such as ``files[3].size``.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NoReturn, TypeVar

import rfc8785

from caimi.errors.models import ManifestMalformed, ManifestNotCanonical, ManifestTooLarge
from caimi.json_text import read_json

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]
T = TypeVar("T")

MAX_SAFE_INTEGER: Final = 2**53 - 1
_HEX: Final = re.compile(r"(?:[0-9a-f]{2})*")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def encode(value: Json) -> bytes:
    """Give the canonical bytes (RFC 8785).

    Raises:
        ManifestMalformed: NaN, an infinity, an integer over 2^53 - 1 or a lone surrogate.
    """
    try:
        return rfc8785.dumps(value)
    # A lone surrogate in a key is met when keys are sorted by their UTF-16.
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise ManifestMalformed(f"A value has no canonical form: {error}.") from error


def decode(data: bytes, limit: int) -> Json:
    """Read canonical bytes.

    Raises:
        ManifestTooLarge: over `limit` bytes, or nested too deeply.
        ManifestMalformed: not JSON, not UTF-8, a duplicate key, NaN or an infinity.
        ManifestNotCanonical: valid JSON in other than its canonical form.
    """
    if len(data) > limit:
        raise ManifestTooLarge(f"{len(data)} bytes; at most {limit} are allowed.")
    try:
        value: Json = read_json(
            data.decode(),
            object_pairs_hook=_object,
            parse_constant=_no_constant,
            parse_int=_number,
        )
        again = encode(value)
    except RecursionError:
        raise ManifestTooLarge("It is nested too deeply.") from None
    except ValueError as error:
        raise ManifestMalformed(f"It is not JSON: {error}.") from error
    if again != data:
        raise ManifestNotCanonical("Encoding what it says again gives other bytes.")
    return value


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    result = dict(pairs)
    if len(result) != len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ManifestMalformed(f"The key {twice[:80]!r} appears twice in one object.")
    return result


def _number(digits: str) -> int | float:
    """Read a number without fraction: beyond 2^53 - 1, JSON's numbers are floats (RFC 8785)."""
    if len(digits) <= len(str(-MAX_SAFE_INTEGER)) and abs(int(digits)) <= MAX_SAFE_INTEGER:
        return int(digits)
    return float(digits)


def _no_constant(name: str) -> NoReturn:
    raise ManifestMalformed(f"{name} is not a number that a manifest may hold.")


class JsonFields:
    """Reads one JSON object; `done` refuses what was not read. All raise `ManifestMalformed`."""

    def __init__(self, value: Json, place: str = "manifest") -> None:
        if not isinstance(value, Mapping):
            raise ManifestMalformed(f"{place} is not an object.")
        self._value = value
        self._place = place
        self._read: set[str] = set()

    def done(self) -> None:
        """Refuse unknown fields."""
        unknown = sorted(set(self._value) - self._read)
        if unknown:
            raise ManifestMalformed(f"{self._place} has an unknown field {unknown[0][:80]!r}.")

    def refuse(self, name: str, what: str) -> NoReturn:
        """Raise for a field."""
        raise ManifestMalformed(f"{self._place}.{name} {what}.")

    def has(self, name: str) -> bool:
        """Tell whether an optional field is there."""
        return name in self._value

    def raw(self, name: str) -> Json:
        """Give a field of any type."""
        self._read.add(name)
        if name not in self._value:
            self.refuse(name, "is missing")
        return self._value[name]

    def text(self, name: str, limit: int, *, least: int = 1) -> str:
        """Give a string of `least` to `limit` characters; see `check_text`."""
        value = self.raw(name)
        if not isinstance(value, str):
            self.refuse(name, "is not a string")
        check_text(f"{self._place}.{name}", value, limit, least=least)
        return value

    def integer(self, name: str, least: int = 0, most: int = MAX_SAFE_INTEGER) -> int:
        """Give an integer within bounds."""
        value = self.raw(name)
        if not isinstance(value, int) or isinstance(value, bool):
            self.refuse(name, "is not an integer")
        if not least <= value <= most:
            self.refuse(name, f"is {value}, not {least} to {most}")
        return value

    def hexadecimal(self, name: str, size: int, *, prefix: str = "") -> bytes:
        """Give `size` bytes written in lower-case hexadecimal after `prefix`."""
        value = self.text(name, len(prefix) + 2 * size)
        digits = value.removeprefix(prefix)
        if not value.startswith(prefix) or len(digits) != 2 * size or not _HEX.fullmatch(digits):
            self.refuse(name, f"is not {prefix}{2 * size} lower-case hexadecimal digits")
        return bytes.fromhex(digits)

    def base64url(self, name: str, limit: int) -> bytes:
        """Give at most `limit` bytes written in base64url without padding (RFC 4648, section 5)."""
        value = self.text(name, (4 * limit + 2) // 3)
        try:
            data = base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            self.refuse(name, "is not base64url")
        if base64url(data) != value:
            self.refuse(name, "is not base64url in its one form")
        return data

    def objects(self, name: str, limit: int, read: Callable[[JsonFields], T]) -> tuple[T, ...]:
        """Give a list of at most `limit` objects, each read by `read` and then `done`."""
        items = []
        for index, value in enumerate(self._list(name, limit)):
            fields = JsonFields(value, f"{self._place}.{name}[{index}]")
            items.append(read(fields))
            fields.done()
        return tuple(items)

    def texts(self, name: str, count: int, limit: int) -> tuple[str, ...]:
        """Give a list of at most `count` strings of 1 to `limit` characters."""
        items = self._list(name, count)
        for index, value in enumerate(items):
            place = f"{self._place}.{name}[{index}]"
            if not isinstance(value, str):
                raise ManifestMalformed(f"{place} is not a string.")
            check_text(place, value, limit)
        return tuple(str(item) for item in items)

    def digests(self, name: str, count: int) -> tuple[bytes, ...]:
        """Give a list of at most `count` values of 32 bytes in lower-case hexadecimal."""
        texts = self.texts(name, count, 64)
        if not all(len(text) == 64 and _HEX.fullmatch(text) for text in texts):
            self.refuse(name, "holds something other than 64 lower-case hexadecimal digits")
        return tuple(map(bytes.fromhex, texts))

    def object(self, name: str) -> JsonFields:
        """Give the reader of a nested object; the caller calls its `done`."""
        return JsonFields(self.raw(name), f"{self._place}.{name}")

    def mapping(self, name: str, limit: int) -> Mapping[str, Json]:
        """Give an object with free keys, at most `limit` of them."""
        value = self.raw(name)
        if not isinstance(value, Mapping):
            self.refuse(name, "is not an object")
        if len(value) > limit:
            self.refuse(name, f"has {len(value)} entries; at most {limit} are allowed")
        return value

    def _list(self, name: str, limit: int) -> Sequence[Json]:
        value = self.raw(name)
        if not isinstance(value, list | tuple):
            self.refuse(name, "is not a list")
        if len(value) > limit:
            self.refuse(name, f"has {len(value)} entries; at most {limit} are allowed")
        return value


def base64url(data: bytes) -> str:
    """Write bytes in base64url without padding."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def check_text(place: str, value: str, limit: int, *, least: int = 1) -> None:
    """Refuse a string that is too short, too long, or holds control characters but tab and newline.

    Raises:
        ManifestMalformed: with the place.
    """
    if not least <= len(value) <= limit:
        raise ManifestMalformed(f"{place} has {len(value)} characters, not {least} to {limit}.")
    if _CONTROL.search(value):
        raise ManifestMalformed(f"{place} holds control characters.")
