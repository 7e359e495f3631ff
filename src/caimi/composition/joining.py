"""Joining two ledgers, whatever families they are of, by a route each way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from caimi.composition.ledgers import family_of
from caimi.config import LedgerSection
from caimi.errors.deploying import ChangeWaits
from caimi.ledgers.port import (
    BY_COMMITTEE,
    Administered,
    Administration,
    ClientTerms,
    Committee,
    LedgerId,
    LedgerPlace,
    Outbox,
    offered,
)

T = TypeVar("T")


def administration_of(place: LedgerPlace | LedgerSection) -> Administration:
    """Give what deploys on a ledger.

    Raises:
        UnknownFamily, FamilyUnusable: as `family_of` says.
        NotOffered: nothing is deployed on ledgers of its family from here.
    """
    ledger = LedgerId(place.id)
    return offered(family_of(place).administration, ledger, "deployment from here")


async def join_ledgers(
    one: Administered,
    other: Administered,
    committee: Committee,
    *,
    terms: tuple[ClientTerms, ClientTerms] = (BY_COMMITTEE, BY_COMMITTEE),
    outbox: Outbox | None = None,
    key: str = "route",
) -> tuple[str, str]:
    """Give each ledger a route to the other that believes `committee`, by clients of `terms`.

    With an `outbox`, what was killed goes on where it stopped.

    Returns:
        The client ids on `one` and on `other`.

    Raises:
        ChangeWaits: a change of an end waits; with the same `outbox` it goes on once it may.
    """
    on_one, on_other = await _both(
        one.add_client(other.ledger, committee, terms=terms[0], outbox=outbox, key=key),
        other.add_client(one.ledger, committee, terms=terms[1], outbox=outbox, key=key),
    )
    await _both(
        name_counterparty(one, on_one, on_other, outbox=outbox, key=key),
        name_counterparty(other, on_other, on_one, outbox=outbox, key=key),
    )
    return on_one, on_other


async def _both(one: Awaitable[T], other: Awaitable[T]) -> tuple[T, T]:
    """Do something at both ends, and say of both where they wait."""
    done = await asyncio.gather(one, other, return_exceptions=True)
    waiting = [each for each in done if isinstance(each, ChangeWaits)]
    for each in done:
        if isinstance(each, BaseException) and not isinstance(each, ChangeWaits):
            raise each
    if waiting:
        raise ChangeWaits([change for each in waiting for change in each.changes])
    first, second = done
    assert not isinstance(first, BaseException)
    assert not isinstance(second, BaseException)
    return first, second


async def name_counterparty(
    here: Administered,
    client_id: str,
    counterparty: str,
    *,
    outbox: Outbox | None = None,
    key: str = "route",
) -> None:
    """Tell a route of `here` which client the other ledger has of it; `outbox` as above.

    Raises:
        TransactionReverted: the administrator may not, or it is told already.
        ChangeWaits: as `join_ledgers` says.
    """
    ledger = here.ledger
    await here.administer(
        ledger.gateway.set_counterparty(client_id, counterparty),
        outbox=outbox,
        key=f"{key}/{ledger.id}/{client_id}/counterparty",
    )
