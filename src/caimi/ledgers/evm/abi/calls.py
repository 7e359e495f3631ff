"""Calls of an EVM ledger, and what a node tells of a transaction that carried one out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from caimi.errors.ledgers import EventInvalid
from caimi.ledgers.evm.abi.assets import coin_of
from caimi.ledgers.port import Call, Done, LedgerId

R_co = TypeVar("R_co", covariant=True)
S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Event:
    """One decoded event of this deployment's contracts."""

    name: str
    values: dict[str, object] = field(hash=False)
    tx: str
    height: int
    index: int


@dataclass(frozen=True, slots=True)
class Included:
    """What a transaction did. `work` is its gas, `fee` in wei, `created` a contract's address."""

    ledger: LedgerId
    tx: str
    height: int
    time: int
    work: int
    fee: int
    events: tuple[Event, ...] = ()
    created: bytes = b""

    def value(self, event: str, name: str, kind: type[S]) -> S:
        """Give a parameter, of a `kind`, of the first event of that name.

        Raises:
            EventInvalid: the transaction does not show it.
        """
        for each in self.events:
            if each.name == event:
                value = each.values[name]
                assert isinstance(value, kind)
                return value
        raise EventInvalid(f"Transaction {self.tx} on {self.ledger} shows no {event}.")


@dataclass(frozen=True, slots=True)
class EvmCall(Call[R_co]):
    """A message for a contract or an account; none for `target` empty, which creates one.

    `effect` reads what the call is for out of the transaction that carried it out.
    """

    target: bytes
    data: bytes
    value: int
    effect: Callable[[Included], R_co]

    def giving(self, effect: Callable[[Included], S]) -> EvmCall[S]:
        """Give the same call, with another reading of what it did."""
        return EvmCall(
            self.ledger,
            self.what,
            self.target,
            self.data,
            self.value,
            effect,
            work=self.work,
            most=self.most,
            anew=self.anew,
        )


def done(included: Included, effect: Callable[[Included], S]) -> Done[S]:
    """Say what came of a call.

    Raises:
        EventInvalid: the transaction does not show the effect.
    """
    return Done(
        included.ledger,
        included.tx,
        included.height,
        included.time,
        included.work,
        coin_of(included.ledger).of(included.fee),
        effect(included),
    )


def nothing(included: Included) -> None:
    """Read no effect: that it was carried out is all."""


def contract_creation(ledger: LedgerId, what: str, code: bytes) -> EvmCall[bytes]:
    """Build the creation of a contract; its effect is the address."""
    return EvmCall(ledger, what, b"", code, 0, lambda included: included.created)
