"""Facts about models as text, for a file: a JSON list of a fact's fields in their order."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Any, Final, get_args, get_origin, get_type_hints

from caimi.errors.ledgers import AmountInvalid, CallInvalid
from caimi.ledgers.port import MODEL_KINDS, FactKind, ModelFact

KINDS: Final[dict[str, FactKind]] = {kind.__name__: kind for kind in MODEL_KINDS}


def write_fact(fact: ModelFact) -> str:
    """Write a fact's fields down, without its kind."""
    return json.dumps(_plain(fact), separators=(",", ":"))


def read_fact(kind: str, text: str) -> ModelFact:
    """Read a fact of a kind by its name.

    Raises:
        ValueError: it is none.
    """
    try:
        known: Any = KINDS[kind]
        fact: ModelFact = _reader(known)(json.loads(text))
    except (KeyError, TypeError, RecursionError, AmountInvalid, CallInvalid) as error:
        raise ValueError(f"No {kind:.40} reads {text:.80}.") from error
    return fact


def _plain(value: Any) -> Any:  # noqa: ANN401 - a fact, or a part of one
    if is_dataclass(value):
        return [_plain(getattr(value, field.name)) for field in fields(value)]
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return value.hex() if isinstance(value, bytes) else value


@cache
def _reader(hint: Any) -> Callable[[Any], Any]:  # noqa: ANN401 - a type as Python writes it
    """Give what reads a value of a type, made once for each type."""
    kind = getattr(hint, "__supertype__", hint)
    if get_origin(kind) is UnionType:  # a value that may be none
        some = _reader(get_args(kind)[0])
        return lambda found: None if found is None else some(found)
    if get_origin(kind) is tuple:
        each = _reader(get_args(kind)[0])
        return lambda found: tuple(each(part) for part in _of(list, found))
    if is_dataclass(kind):
        assert isinstance(kind, type)
        hints = get_type_hints(kind)
        readers = [_reader(hints[field.name]) for field in fields(kind)]
        return lambda found: kind(
            *[read(part) for read, part in zip(readers, _of(list, found), strict=True)]
        )
    if kind is bytes:
        return lambda found: bytes.fromhex(_of(str, found))
    return lambda found: _of(kind, found)


def _of(kind: type, found: Any) -> Any:  # noqa: ANN401 - as JSON has it
    if type(found) is not kind:
        raise TypeError
    return found
