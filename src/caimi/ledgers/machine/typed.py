"""Records of contracts as plain values, and back: what does not fit a type is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from enum import IntEnum
from functools import cache, partial
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
    return _fitting(kind)(value)


@cache
def _fitting(kind: Any) -> Callable[[Value], Any]:  # noqa: ANN401 - a type as Python writes it
    """Give what makes the type that `kind` is of plain values."""
    kind = _bare(kind)
    origin = get_origin(kind)
    if origin is not None and issubclass(origin, Sequence):
        return _fitting_row(get_args(kind), origin is tuple)
    if not isinstance(kind, type):
        raise ValueError(f"{kind} is no type of values")
    if is_dataclass(kind):
        record = _fitting_row(_hints(kind), True)
        return lambda value: kind(*record(value))
    if issubclass(kind, IntEnum):
        number = _fitting(int)
        return lambda value: kind(number(value))
    return partial(_exactly, kind)


def _fitting_row(kinds: tuple[Any, ...], is_tuple: bool) -> Callable[[Value], tuple[Any, ...]]:
    if not is_tuple or kinds[-1:] == (Ellipsis,):
        one = _fitting(kinds[0])
        return lambda value: tuple([one(each) for each in _row(value, None)])
    parts = [_fitting(kind) for kind in kinds]

    def row(value: Value) -> tuple[Any, ...]:
        given = _row(value, len(parts))
        return tuple([part(each) for part, each in zip(parts, given, strict=True)])

    return row


def _exactly(kind: type, value: Value) -> Value:
    if type(value) is not kind:
        raise ValueError(f"a {type(value).__name__} is no {kind.__name__}")
    return value


def _row(value: Value, length: int | None) -> tuple[Value, ...]:
    if not isinstance(value, tuple) or length not in (None, len(value)):
        raise ValueError(f"this is no row of {length or 'any'} values")
    return value


def _hints(kind: type) -> tuple[object, ...]:
    hints = get_type_hints(kind)
    return tuple(hints[field.name] for field in fields(kind))


def _bare(kind: Any) -> Any:  # noqa: ANN401 - a type as Python writes it
    while hasattr(kind, "__supertype__"):
        kind = kind.__supertype__
    return kind
