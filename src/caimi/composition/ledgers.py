"""Ledgers from sections of a configuration, whatever family they are of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack

from caimi.chains import AccountId
from caimi.config import LedgerSection, PlaceSection
from caimi.errors.ledgers import LedgerUnavailable
from caimi.errors.operations import FamilyUnusable, UnknownLedger
from caimi.families import find_family
from caimi.ledgers.port import Account, Family, Ledger, LedgerId, LedgerPlace
from caimi.logs import logger

_log = logger(__name__)


def family_of(section: LedgerSection | PlaceSection | LedgerPlace) -> Family:
    """Give the family of a ledger.

    Raises:
        UnknownFamily, FamilyUnusable: none is installed, or it is no family.
    """
    found = find_family(section.id, section.family)
    if not isinstance(found, Family):
        raise FamilyUnusable(f"What is installed for {section.id} is no family of ledgers.")
    return found


def prepare_ledger(section: LedgerSection, *, price_cap: int | None = None) -> Ledger:
    """Make a ledger ready to be asked, without asking it anything yet.

    Nothing is sent that offers more than `price_cap` for a unit of work.
    """
    return family_of(section).prepare(section, price_cap=price_cap)


async def open_ledger(
    stack: AsyncExitStack, section: LedgerSection, *, price_cap: int | None = None
) -> Ledger:
    """Connect to a ledger and check it; `stack` closes it.

    Raises:
        LedgerUnavailable, WrongLedger, ContractMissing: as its `check` says.
    """
    ledger = prepare_ledger(section, price_cap=price_cap)
    stack.push_async_callback(ledger.aclose)
    await ledger.check()
    return ledger


async def open_ledgers(
    stack: AsyncExitStack,
    sections: Iterable[LedgerSection],
    price_caps: Mapping[LedgerId, int] | None = None,
) -> dict[LedgerId, Ledger]:
    """Connect to several, by id; raises as `open_ledger`."""
    opened = {}
    for section in sections:
        cap = (price_caps or {}).get(LedgerId(section.id))
        opened[LedgerId(section.id)] = await open_ledger(stack, section, price_cap=cap)
    return opened


async def open_views(stack: AsyncExitStack, section: LedgerSection) -> dict[str, Ledger]:
    """Connect to every endpoint of a ledger; `stack` closes them.

    The first must answer. Of the others one that is down is taken as it comes: it counts towards no
    quorum until it answers.

    Raises:
        LedgerUnavailable: the first does not answer.
        WrongLedger, ContractMissing: any serves something else.
    """
    views = family_of(section).views(section)
    for number, ledger in enumerate(views.values(), start=1):
        stack.push_async_callback(ledger.aclose)
        try:
            await ledger.check()
        except LedgerUnavailable as error:
            if number == 1:
                raise
            _log.warning("%s", error)
    return views


def account_among(text: str, ledgers: Mapping[LedgerId, Ledger]) -> Account:
    """Read a CAIP-10 id of an account of one of some ledgers.

    Raises:
        InvalidAccountId: it is none.
        UnknownLedger: its ledger is none of these.
    """
    named = AccountId.parse(text)
    ledger = ledgers.get(LedgerId(named.ledger))
    if ledger is None:
        known = ", ".join(ledgers) or "none"
        raise UnknownLedger(f"{text!r} is of none of these ledgers: {known}.")
    return ledger.accounts.parse(named.address)
