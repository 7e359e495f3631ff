"""State changes: built without effect, signed, written down, sent once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from caimi.ledgers.port.blocks import LedgerId


@dataclass(frozen=True, slots=True)
class Call:
    """A state change that a facet has built and nobody has sent yet.

    `what` says it in words for progress displays and errors; `target`, `data` and `value` mean
    something only to the ledger that built it. `work` is what the caller knows to suffice (gas on
    EVM ledgers); 0, or too little, has the ledger estimate it, which costs a node far more.
    """

    ledger: LedgerId
    what: str
    target: bytes
    data: bytes
    value: int = 0
    work: int = 0


@dataclass(frozen=True, slots=True)
class SignedCall:
    """A signed transaction: however often it is broadcast, it takes effect at most once."""

    ledger: LedgerId
    what: str
    tx: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Event:
    """One decoded event of this deployment's contracts."""

    name: str
    values: dict[str, object] = field(hash=False)
    tx: str
    height: int
    index: int


@dataclass(frozen=True, slots=True)
class TxReceipt:
    """What a transaction did.

    `work` is gas on EVM ledgers, `fee` what the sender paid for it, `created` the account of a
    contract that it created.
    """

    ledger: LedgerId
    tx: str
    height: int
    time: int
    work: int
    fee: int
    events: tuple[Event, ...] = ()
    created: bytes = b""


class Outbox(Protocol):
    """Where signed transactions are written down before they are broadcast."""

    async def sent(self, key: str) -> SignedCall | None:
        """Give what was recorded under `key`, or None."""

    async def record(self, key: str, call: SignedCall) -> None:
        """Write `call` down durably under `key`; later attempts come as ``key#1`` and so on."""
