"""Checking treasuries: whether they drain, and whether whom they keep has its floor."""

from __future__ import annotations

from contextlib import AsyncExitStack

from caimi.client.amounts import said
from caimi.client.doctor.finding import Finding, failed
from caimi.client.refilling.opening import kept_journal, open_treasury, treasury_sections
from caimi.client.refilling.sight import TreasurySight
from caimi.config import Config
from caimi.config.sections.treasuries import TreasurySection
from caimi.errors.base import CaimiError
from caimi.ledgers.port import Account, name_of


def named_treasuries(config: Config) -> tuple[list[tuple[str, TreasurySection]], list[Finding]]:
    """Give the configured treasuries by their ledgers' names, and what is wrong with the list."""
    if not config.treasuries:
        return [], []
    try:
        sections = treasury_sections(config)
    except CaimiError as error:
        return [], [failed("treasuries", error)]
    return [(config.ledger(each.ledger).name, each) for each in sections], []


async def check_treasury(config: Config, section: TreasurySection) -> list[Finding]:
    """Check one treasury and the accounts that it keeps; opens no key and makes no journal."""
    async with AsyncExitStack() as stack:
        treasury = await open_treasury(stack, config, section)
        sight = await treasury.look(kept_journal(stack, config))
    accounts = treasury.ledger.accounts
    name = config.ledger(section.ledger).name
    own = _own(f"treasury {name}", sight, accounts.text(treasury.terms.account))
    floor = said(treasury.terms.limits.floor)
    return [
        own,
        *(
            Finding(
                f"account {name_of(who, accounts)}",
                "warning",
                f"It has {said(sight.seen.accounts[who])}, and its floor is {floor}.",
                _next(sight, who),
            )
            for who in sight.low
        ),
    ]


def _own(subject: str, sight: TreasurySight, address: str) -> Finding:
    limits = sight.terms.limits
    has = f"It has {said(sight.seen.treasury)}"
    may = f"{said(sight.left)} of {said(limits.daily_cap)} may leave it now"
    if sight.draining:
        return Finding(
            subject,
            "warning",
            f"{has}, less than {said(limits.low)}: it is draining.",
            f"Send coins to {address}.",
        )
    return Finding(subject, "ok", f"{has}; {may}.")


def _next(sight: TreasurySight, who: Account) -> str:
    if who in sight.plan.capped:
        return (
            f"{said(sight.spent)} left the treasury within 24 hours, and its daily_cap holds it: "
            "find out where they went, then raise it or wait."
        )
    if who in sight.plan.short:
        return "Send coins to the treasury."
    if any(who == each.account for each in sight.open):
        return "Coins are on their way; `caimi treasury refill` finishes what was begun."
    return "Run `caimi treasury refill`, and see to it that `caimi service treasury` runs."
