"""Facts about models as text, for a file: a JSON list of a fact's fields in their order."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Any, Final, get_args, get_origin, get_type_hints

from caimi.errors.ledgers import AmountInvalid
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
        fact: ModelFact = _revived(KINDS[kind], json.loads(text))
    except (KeyError, TypeError, RecursionError, AmountInvalid) as error:
        raise ValueError(f"No {kind:.40} reads {text:.80}.") from error
    return fact


@cache
def _hints(kind: type) -> tuple[Any, ...]:
    hints = get_type_hints(kind)
    return tuple(hints[field.name] for field in fields(kind))


def _plain(value: Any) -> Any:  # noqa: ANN401 - a fact, or a part of one
    if is_dataclass(value):
        return [_plain(getattr(value, field.name)) for field in fields(value)]
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return value.hex() if isinstance(value, bytes) else value


def _revived(kind: Any, found: Any) -> Any:  # noqa: ANN401 - a fact, or a part of one
    kind = getattr(kind, "__supertype__", kind)
    if is_dataclass(kind):
        assert isinstance(kind, type)
        parts = zip(_hints(kind), _of(list, found), strict=True)
        return kind(*(_revived(hint, part) for hint, part in parts))
    if get_origin(kind) is UnionType:  # somebody, or nobody
        return None if found is None else _revived(get_args(kind)[0], found)
    if get_origin(kind) is tuple:
        return tuple(_revived(get_args(kind)[0], part) for part in _of(list, found))
    return bytes.fromhex(_of(str, found)) if kind is bytes else _of(kind, found)


def _of(kind: type, found: Any) -> Any:  # noqa: ANN401 - as JSON has it
    if type(found) is not kind:
        raise TypeError
    return found
