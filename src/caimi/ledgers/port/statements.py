"""What accounts sign besides transactions: typed statements, which no ledger's own form is part of.

A ledger's `AccountCodec` gives a statement the form that its ledger's wallets show and sign. What
two statements are signed as is never the same: the domain, the names and all values are in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

Value = str | bytes | int | bool

_TYPE: Final = re.compile(r"[A-Z][A-Za-z0-9]{0,63}")
_FIELD: Final = re.compile(r"[a-z][A-Za-z0-9]{0,63}")
_WORDS: Final = re.compile(r"[ -~]{1,64}")


class FieldType(Enum):
    """What a field of a statement holds: all that there is to say it in."""

    STRING = "string"
    BYTES = "bytes"
    BYTES32 = "bytes32"
    UINT64 = "uint64"
    UINT256 = "uint256"
    BOOL = "bool"


def _is_text(value: Value) -> bool:
    """Tell whether it is text such as UTF-8 can hold."""
    return isinstance(value, str) and (
        value.isascii() or not any(0xD800 <= ord(sign) <= 0xDFFF for sign in value)
    )


def _is_number(value: Value, bits: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << bits


_HOLDS: Final[Mapping[FieldType, Callable[[Value], bool]]] = {
    FieldType.STRING: _is_text,
    FieldType.BYTES: lambda value: isinstance(value, bytes),
    FieldType.BYTES32: lambda value: isinstance(value, bytes) and len(value) == 32,
    FieldType.UINT64: lambda value: _is_number(value, 64),
    FieldType.UINT256: lambda value: _is_number(value, 256),
    FieldType.BOOL: lambda value: isinstance(value, bool),
}
"""Whether a value is of a type."""


@dataclass(frozen=True, slots=True)
class StatementDomain:
    """Who asks for a statement: the name that people are shown, and the version of what is asked.

    Construction raises `ValueError` unless both are 1 to 64 printable ASCII characters.
    """

    name: str
    version: str

    def __post_init__(self) -> None:
        if not (_WORDS.fullmatch(self.name) and _WORDS.fullmatch(self.version)):
            raise ValueError("a domain has a name and a version of printable ASCII")


@dataclass(frozen=True, slots=True)
class StatementType:
    """One kind of statement: who asks for it, its name in that domain, its fields in order.

    Construction raises `ValueError` when a name is none, or is there twice.
    """

    domain: StatementDomain
    name: str
    fields: tuple[tuple[str, FieldType], ...]
    _checks: tuple[Callable[[Value], bool], ...] = field(init=False, repr=False, compare=False)
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        names = [name for name, _ in self.fields]
        if _TYPE.fullmatch(self.name) is None or not all(map(_FIELD.fullmatch, names)):
            raise ValueError("a type begins with a capital, a field with a small letter")
        if not names or len(set(names)) != len(names):
            raise ValueError("a statement has fields, each of its own name")
        object.__setattr__(self, "_checks", tuple(_HOLDS[kind] for _, kind in self.fields))
        object.__setattr__(self, "_hash", hash((self.domain, self.name, self.fields)))

    def __hash__(self) -> int:
        """Give what was computed once: codecs look types up, thousands of times a second."""
        return self._hash

    def misfit(self, values: Sequence[Value]) -> int | None:
        """Give the place of the first of its values that is not of its field's type."""
        for place, (holds, value) in enumerate(zip(self._checks, values, strict=True)):
            if not holds(value):
                return place
        return None

    def state(self, *values: Value) -> Statement:
        """Make a statement of this type."""
        return Statement(self, values)


@dataclass(frozen=True, slots=True)
class Statement:
    """What an account signs: a type, and a value for each of its fields, in their order.

    Construction raises `ValueError` when the values do not fit.
    """

    type: StatementType
    values: tuple[Value, ...]

    def __post_init__(self) -> None:
        fields = self.type.fields
        if len(self.values) != len(fields):
            raise ValueError(f"{self.type.name} has {len(fields)} fields, not {len(self.values)}")
        misfit = self.type.misfit(self.values)
        if misfit is not None:
            name, kind = fields[misfit]
            raise ValueError(f"{name} of {self.type.name} is no {kind.value}")
