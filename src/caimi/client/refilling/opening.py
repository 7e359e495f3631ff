"""The treasuries that a configuration names, ready to be looked at."""

from __future__ import annotations

from contextlib import AsyncExitStack, closing

from caimi.client.refilling.looking import Viewpoints
from caimi.client.refilling.recipients import TreasuryTerms, terms_of
from caimi.client.refilling.rounds import LedgerTreasury
from caimi.composition.ledgers import family_of, open_views, prepare_ledger
from caimi.config import Config
from caimi.config.sections.treasuries import TreasurySection
from caimi.errors.treasury import TreasuryInvalid, TreasuryMissing
from caimi.journal import Journal
from caimi.persistence import open_journal


def treasury_sections(config: Config, ledger: str | None = None) -> list[TreasurySection]:
    """Give what is said of the treasury of one ledger, by its id or name, or of all.

    Raises:
        TreasuryMissing: there is none.
        TreasuryInvalid: a ledger has two.
        UnknownLedger: a ledger is not listed.
    """
    by_id = {config.ledger(each.ledger).id: each for each in config.treasuries}
    if len(by_id) < len(config.treasuries):
        raise TreasuryInvalid("A ledger has two treasuries.")
    if ledger is None:
        if not by_id:
            raise TreasuryMissing("The configuration names no treasury.")
        return list(by_id.values())
    wanted = config.ledger(ledger).id
    if wanted not in by_id:
        raise TreasuryMissing(f"The configuration names no treasury of {wanted}.")
    return [by_id[wanted]]


async def treasury_terms(config: Config, section: TreasurySection) -> TreasuryTerms:
    """Give what a treasury is told; asks no ledger. Raises as `terms_of`."""
    ledger = prepare_ledger(config.ledger(section.ledger))
    try:
        return terms_of(config, section, ledger)
    finally:
        await ledger.aclose()


async def open_treasury(
    stack: AsyncExitStack, config: Config, section: TreasurySection
) -> LedgerTreasury:
    """Connect to a treasury's ledger, by all of its nodes; `stack` closes them.

    Raises:
        NotOffered, TreasuryInvalid, KeyMissing: as `terms_of`, before the ledger is asked.
        LedgerUnavailable, WrongLedger…: as `open_views`.
    """
    terms = await treasury_terms(config, section)
    told = config.ledger(section.ledger)
    views = await open_views(stack, told)
    viewpoints = Viewpoints(tuple(views.values()), family_of(told).quorum(told))
    return LedgerTreasury(viewpoints, terms)


def kept_journal(stack: AsyncExitStack, config: Config) -> Journal | None:
    """Open the journal, if there is any, without making one; `stack` closes it."""
    if config.database is None and not config.journal_path.exists():
        return None
    return stack.enter_context(closing(open_journal(config)))
