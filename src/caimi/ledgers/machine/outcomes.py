"""What became of an act: what it gave and told, or why it was refused; and how that is kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from sys import modules
from typing import Final

from caimi.contracts.execution import Effect
from caimi.errors.ledgers import CallRefused
from caimi.ledgers.machine.typed import fitted, flat
from caimi.ledgers.machine.values import Value, decode_value, encode_value

_LARGE: Final = 4096
"""What has more bytes is not kept."""


@dataclass(frozen=True, slots=True)
class ActOutcome:
    """What a call gave and told. One that was refused gave and told nothing."""

    result: Value
    effects: tuple[Effect, ...]
    refusal: CallRefused | None

    def encode(self) -> bytes:
        """Write it down without its effects, which have encodings of their own."""
        refusal = self.refusal
        why = None if refusal is None else (refusal.reason, *_named(refusal))
        return encode_value((self.result, why))

    @classmethod
    def decode(cls, data: bytes, effects: tuple[Effect, ...]) -> ActOutcome:
        """Read the one encoding; raises `ValueError` where it is none."""
        match decode_value(data):
            case (result, None):
                return cls(result, effects, None)
            case (None, (str(reason), *named)):
                arguments = dict(map(_pair, named))
                if len(arguments) == len(named):
                    return cls(None, (), CallRefused(reason, arguments))
        raise ValueError("this is no outcome")


def effect_kind(effect: Effect | type[Effect]) -> str:
    """Name a kind of effects."""
    return (effect if isinstance(effect, type) else type(effect)).__name__


def encode_effect(effect: Effect) -> bytes:
    """Write an effect down."""
    return encode_value((effect_kind(effect), flat(effect)))


def decode_effect(data: bytes) -> Effect:
    """Read the one encoding of an effect; raises `ValueError` where it is none.

    Whoever follows a ledger reads the newest ones again and again: they are kept for a while.
    """
    return (_read_effect if len(data) > _LARGE else _read_again)(data)


def _read_effect(data: bytes) -> Effect:
    match decode_value(data):
        case (str(name), fields):
            found: Effect = fitted(_kind(name), fields)
            return found
    raise ValueError("this is no effect")


_read_again = lru_cache(maxsize=4096)(_read_effect)


def _named(refusal: CallRefused) -> Iterator[Value]:
    return ((name, flat(value)) for name, value in refusal.arguments.items())


def _pair(value: Value) -> tuple[str, object]:
    match value:
        case (str(name), said):
            return name, said
    raise ValueError("an argument has a name and a value")


@cache
def _kind(name: str) -> type[Effect]:
    """Give the kind of a name; raises `ValueError`, and looks again when it is asked again."""
    for kind in _kinds(Effect):
        if kind.__name__ == name:
            return kind
    raise ValueError("there is no such effect")


def _kinds(kind: type[Effect]) -> Iterator[type[Effect]]:
    """Give the kinds that their modules have, and not what `slots` left of them."""
    for below in kind.__subclasses__():
        if getattr(modules[below.__module__], below.__name__, None) is below:
            yield below
        yield from _kinds(below)
