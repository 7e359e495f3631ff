"""What the contracts refuse, as the port's named errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from caimi.errors.ledgers import (
    CallRefused,
    InsufficientFunds,
    LedgerError,
    NotOffered,
    TransactionReverted,
)
from caimi.ledgers.refusals import NAMED


def refused(what: str, refusal: CallRefused, *, tx: str = "") -> LedgerError:
    """Give the port's error for a refusal of `what`, in words; `tx` where it was included."""
    where = f"{what} was refused on the ledger in transaction {tx}" if tx else f"{what} is refused"
    said = f"{where}: {refusal.what}"
    if refusal.reason == "NoCoins":
        return NotOffered(f"{said} The ledger has no coin.")
    if refusal.reason == "InsufficientUnits":
        return InsufficientFunds(said)
    named = NAMED.get(refusal.reason, TransactionReverted)
    arguments = tuple(refusal.arguments.values())
    return named(said, error=refusal.reason, arguments=arguments, tx=tx)


@contextmanager
def named(what: str) -> Iterator[None]:
    """Have reads raise the port's errors."""
    try:
        yield
    except CallRefused as refusal:
        raise refused(what, refusal) from refusal
