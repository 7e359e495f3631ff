"""Joining two ledgers, whatever families they are of, by a route each way."""

from __future__ import annotations

import asyncio

from caimi.composition.ledgers import family_of
from caimi.config import LedgerSection
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
    """
    on_one, on_other = await asyncio.gather(
        one.add_client(other.ledger, committee, terms=terms[0], outbox=outbox, key=key),
        other.add_client(one.ledger, committee, terms=terms[1], outbox=outbox, key=key),
    )
    await asyncio.gather(
        name_counterparty(one, on_one, on_other, outbox=outbox, key=key),
        name_counterparty(other, on_other, on_one, outbox=outbox, key=key),
    )
    return on_one, on_other


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
    """
    ledger = here.ledger
    await ledger.submit(
        ledger.gateway.set_counterparty(client_id, counterparty),
        here.admin,
        outbox=outbox,
        key=f"{key}/{ledger.id}/{client_id}/counterparty",
    )
