"""What a transaction tells: of each act that it carried out, the outcome and the effects.

A peer lets a transaction have one event, so all of it is in one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from caimi.ledgers.machine.outcomes import ActOutcome, decode_effect, encode_effect
from caimi.ledgers.machine.values import Value, decode_value, encode_value

EVENT: Final = "caimi/acts/v1"
"""What the event is called; its payload is what `encode_told` gives."""


@dataclass(frozen=True, slots=True)
class ToldAct:
    """One act of a transaction: the name it goes by, who its author is, what became of it."""

    tx: str
    author: bytes
    outcome: ActOutcome


def encode_told(acts: tuple[ToldAct, ...]) -> bytes:
    """Write down what a transaction tells."""
    return encode_value(tuple(map(_flat, acts)))


def decode_told(data: bytes) -> tuple[ToldAct, ...]:
    """Read the one encoding; raises `ValueError` where it is none."""
    rows = decode_value(data)
    if not isinstance(rows, tuple):
        raise ValueError("a transaction tells of a row of acts")
    return tuple(map(_act, rows))


def _flat(act: ToldAct) -> Value:
    effects = tuple(encode_effect(effect) for effect in act.outcome.effects)
    return act.tx, act.author, act.outcome.encode(), effects


def _act(row: Value) -> ToldAct:
    match row:
        case (str(tx), bytes(author), bytes(outcome), tuple(effects)):
            told = tuple(decode_effect(_bytes(each)) for each in effects)
            read = ActOutcome.decode(outcome, told)
            if read.effects == told:
                return ToldAct(tx, author, read)
    raise ValueError("an act has a name, an author, an outcome and its effects")


def _bytes(value: Value) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError("an effect is bytes")
    return value
