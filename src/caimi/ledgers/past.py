"""Reading what was final at a height, on ledgers that keep the past and on those that do not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from caimi.errors.ledgers import HistoryGone
from caimi.ledgers.port import FINAL, At, Exactly

T = TypeVar("T")


async def at_final(height: int, read: Callable[[At], Awaitable[T]]) -> T:
    """Read the state of a final height, or a later final one where the ledger keeps no past.

    For what may be judged by the later state as well: receipts and acknowledgements only ever
    appear, so that one which is absent later was absent before; commitments only ever vanish, so
    that one which is there has been since it was sent; what was revoked stays revoked.
    """
    try:
        return await read(Exactly(height))
    except HistoryGone:
        return await read(FINAL)
