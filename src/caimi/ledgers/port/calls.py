"""State changes: built without effect, signed, written down, sent once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Generic, Protocol, Self, TypeVar

from caimi.ledgers.port.blocks import LedgerId
from caimi.ledgers.port.money import Money

R_co = TypeVar("R_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Call(Generic[R_co]):
    """A state change that a facet has built and nobody has sent yet; `R_co` is its effect.

    `what` says it in words for progress displays and errors. What it is made of is the business of
    the ledger that built it. `work` is what the caller knows to suffice; 0, or too little, has the
    ledger estimate it, which costs a node far more. `most` is what the caller allows it to take, 0
    for any. Ledgers that count no work ignore both. `anew` is whether it may be signed once more,
    to take effect beside what was signed, where the ledger's node says that this never will.
    """

    ledger: LedgerId
    what: str
    work: int = field(default=0, kw_only=True)
    most: int = field(default=0, kw_only=True)
    anew: bool = field(default=True, kw_only=True)

    def within(self, work: int) -> Self:
        """Give the same call, known to need no more than `work`."""
        return replace(self, work=work)

    def at_most(self, work: int) -> Self:
        """Give the same call, which is not signed (`WorkAboveBound`) where it takes more."""
        return replace(self, most=work)

    def signed_once(self) -> Self:
        """Give the same call, of which one outbox key never has two that could both take effect."""
        return replace(self, anew=False)


@dataclass(frozen=True, slots=True)
class SignedCall:
    """A signed transaction: however often it is broadcast, it takes effect at most once."""

    ledger: LedgerId
    what: str
    tx: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Done(Generic[R_co]):
    """What a call did: it is on the ledger, at `height`.

    `effect` is what the facet that built the call says of it; `work` is what the ledger counted, 0
    where it counts none, and `fee` what the sender paid for it, None where nobody pays.
    """

    ledger: LedgerId
    tx: str
    height: int
    time: int
    work: int
    fee: Money | None
    effect: R_co


class Outbox(Protocol):
    """Where signed transactions are written down before they are broadcast."""

    async def sent(self, key: str) -> SignedCall | None:
        """Give what was recorded under `key`, or None."""

    async def record(self, key: str, call: SignedCall) -> None:
        """Write `call` down durably under `key`; later attempts come as ``key#1`` and so on."""
