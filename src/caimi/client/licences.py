"""The licences that somebody's accounts hold, on all ledgers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from caimi.client.context import Context, Progress, no_progress
from caimi.client.model_index import ModelIndex
from caimi.ledgers.port import Account, GrantedLicence, Ledger, RegisteredModel, name_of
from caimi.uri import ModelUri


@dataclass(frozen=True, slots=True)
class HeldLicence:
    """A right to use the version `uri` names, of the account `consumer` (CAIP-10).

    `live` says whether custodians honour it now. `since` is in seconds, by the home ledger.
    """

    uri: str
    name: str
    consumer: str
    since: int
    live: bool


async def licences(
    context: Context, accounts: Sequence[Account], *, progress: Progress = no_progress
) -> list[HeldLicence]:
    """List what was granted to accounts of configured ledgers, the first grant first."""
    held = {each.interoperable: each for each in accounts}

    async def at_home(ledger: Ledger) -> list[HeldLicence]:
        index = ModelIndex(ledger, context.index_folder, progress)
        known = await index.licences(held.keys())
        names = {
            each.fact.model_id: each.fact.name
            for each in known
            if isinstance(each.fact, RegisteredModel)
        }
        # A licence that was revoked and given anew is one.
        granted = {
            each.fact.licence_id: each.fact
            for each in known
            if isinstance(each.fact, GrantedLicence)
        }
        return await asyncio.gather(
            *(
                _held(context, ledger, names.get(fact.model_id, ""), fact, held[fact.consumer])
                for fact in granted.values()
            )
        )

    told = await asyncio.gather(*map(at_home, context.ledgers.values()))
    return sorted((each for found in told for each in found), key=lambda each: each.since)


async def _held(
    context: Context, ledger: Ledger, name: str, fact: GrantedLicence, consumer: Account
) -> HeldLicence:
    found = await ledger.market.licence(fact.model_id, fact.version, consumer)
    return HeldLicence(
        str(ModelUri(ledger.id, fact.model_id, fact.version)),
        name,
        name_of(consumer, context.ledger(consumer.ledger).accounts),
        found.granted_at,
        found.live,
    )
