"""The ledgers of a local network: people who can pay, CAIMI on each, and routes between all."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import combinations

from caimi.client.keyring import Keyring
from caimi.composition.joining import administration_of, join_ledgers
from caimi.composition.ledgers import family_of, prepare_ledger
from caimi.config import LedgerSection
from caimi.ledgers.port import (
    Account,
    Committee,
    KeyFiles,
    LedgerId,
    LedgerPlace,
    LedgerService,
    Signer,
)


@dataclass(frozen=True, slots=True)
class EmptyLedger:
    """A ledger that runs, before CAIMI is on it, and native accounts of `people` there."""

    service: LedgerService
    deployer: Signer
    guardian: bytes
    people: tuple[bytes, ...]

    @property
    def place(self) -> LedgerPlace:
        """Where it is."""
        return self.service.place

    async def fund(self) -> None:
        """See to it that the people and whoever deploys can pay."""
        await self.service.fund([*self.people, self.deployer.account])


async def fund_people(
    service: LedgerService, keyring: Keyring, users: Sequence[str], guardian: str
) -> EmptyLedger:
    """See to it that users of the keyring, one of them the guardian, have coins on a ledger."""
    keys = family_of(service.place).keys
    accounts = {user: await asyncio.to_thread(_account, keyring, user, keys) for user in users}
    deployer = keys.generate("deployer")
    empty = EmptyLedger(service, deployer, accounts[guardian], tuple(accounts.values()))
    await empty.fund()
    return empty


async def deploy_and_join(
    ledgers: Sequence[EmptyLedger], committee: Committee
) -> list[LedgerSection]:
    """Put CAIMI on ledgers and join each to every other; gives their sections, in order."""
    offices = [administration_of(each.place) for each in ledgers]
    sections = await asyncio.gather(
        *(
            office.deploy(each.place, each.deployer, guardian=each.guardian)
            for office, each in zip(offices, ledgers, strict=True)
        )
    )
    await asyncio.gather(*(each.fund() for each in ledgers))  # in what only CAIMI keeps, too
    async with AsyncExitStack() as stack:
        administered = []
        for office, each, section in zip(offices, ledgers, sections, strict=True):
            ledger = prepare_ledger(section)
            stack.push_async_callback(ledger.aclose)
            administered.append(office.administered(ledger, each.deployer))
        for one, other in combinations(administered, 2):
            await join_ledgers(one, other, committee)
    return sections


def written_account(keyring: Keyring, user: str, section: LedgerSection) -> str:
    """Give a user's account on a ledger, as that ledger writes it."""
    family = family_of(section)
    account = Account(LedgerId(section.id), _account(keyring, user, family.keys))
    return family.accounts(section).text(account)


def _account(keyring: Keyring, user: str, keys: KeyFiles) -> bytes:
    """Give a user's account, making its key where a ledger needs one of another kind."""
    file = keyring.file(user, keys.ending)
    return keys.account_in(file) if file.exists() else keyring.add(user, keys).account
