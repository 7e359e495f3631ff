"""Records of contracts as plain values, and back: what does not fit a type is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from enum import IntEnum
from functools import cache
from typing import Any, cast, get_args, get_origin, get_type_hints

from caimi.ledgers.machine.values import Value


def flat(value: object) -> Value:
    """Give a record, or a part of one, as a plain value: a record is the row of its fields."""
    if is_dataclass(value):
        return tuple(flat(getattr(value, field.name)) for field in fields(value))
    if isinstance(value, (tuple, list)):
        return tuple(flat(each) for each in value)
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    return cast("Value", value)


def fitted(kind: object, value: Value) -> Any:  # noqa: ANN401 - whatever `kind` is
    """Give a plain value as the type that `kind` is, in the annotations of `caimi.contracts`.

    Raises:
        ValueError: it does not fit.
    """
    kind = _bare(kind)
    origin = get_origin(kind)
    if origin is not None and issubclass(origin, Sequence):
        return _fitted_row(get_args(kind), origin is tuple, value)
    if not isinstance(kind, type):
        raise ValueError(f"{kind} is no type of values")
    if is_dataclass(kind):
        row = _row(value, len(hints := _hints(kind)))
        return kind(*(fitted(hint, each) for hint, each in zip(hints, row, strict=True)))
    if issubclass(kind, IntEnum):
        return kind(fitted(int, value))
    if type(value) is not kind:
        raise ValueError(f"a {type(value).__name__} is no {kind.__name__}")
    return value


def _fitted_row(kinds: tuple[object, ...], is_tuple: bool, value: Value) -> tuple[Any, ...]:
    if is_tuple and kinds[-1] is not Ellipsis:
        row = _row(value, len(kinds))
        return tuple(fitted(kind, each) for kind, each in zip(kinds, row, strict=True))
    return tuple(fitted(kinds[0], each) for each in _row(value, None))


def _row(value: Value, length: int | None) -> tuple[Value, ...]:
    if not isinstance(value, tuple) or length not in (None, len(value)):
        raise ValueError(f"this is no row of {length or 'any'} values")
    return value


@cache
def _hints(kind: type) -> tuple[object, ...]:
    hints = get_type_hints(kind)
    return tuple(hints[field.name] for field in fields(kind))


def _bare(kind: Any) -> Any:  # noqa: ANN401 - a type as Python writes it
    while hasattr(kind, "__supertype__"):
        kind = kind.__supertype__
    return kind
