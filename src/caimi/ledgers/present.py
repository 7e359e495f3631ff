"""The present, as a ledger tells it."""

from __future__ import annotations

from caimi.ledgers.port import Ledger


async def present_time(ledger: Ledger) -> int:
    """Give the ledger's time now, in seconds; one that stands is moved first.

    Raises:
        LedgerUnavailable: the ledger does not answer.
    """
    if ledger.standing_clock is not None:
        await ledger.standing_clock.move()
    return (await ledger.head()).time
