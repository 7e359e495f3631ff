"""What is kept of an act under its name: its outcome and its effects.

It is written, not told in an event: a transaction's one event is that of the chaincode which was
called, and another may call this one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from caimi.ledgers.machine.outcomes import ActOutcome, decode_effect, encode_effect
from caimi.ledgers.machine.values import Value, decode_value, encode_value


@dataclass(frozen=True, slots=True)
class ToldAct:
    """One act: its place among its transaction's, from 0; its author; what became of it."""

    place: int
    author: bytes
    outcome: ActOutcome

    def encode(self) -> bytes:
        """Write it down."""
        effects = tuple(encode_effect(effect) for effect in self.outcome.effects)
        return encode_value((self.place, self.author, self.outcome.encode(), effects))

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read the one encoding; raises `ValueError` where it is none."""
        match decode_value(data):
            case (int(place), bytes(author), bytes(outcome), tuple(effects)):
                told = tuple(decode_effect(_bytes(each)) for each in effects)
                read = ActOutcome.decode(outcome, told)
                if read.effects == told:
                    return cls(place, author, read)
        raise ValueError("an act has a place, an author, an outcome and its effects")


def _bytes(value: Value) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError("an effect is bytes")
    return value
