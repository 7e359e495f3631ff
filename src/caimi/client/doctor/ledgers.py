"""Checking the configured ledgers: every endpoint, the contracts, the routes, and who pays."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Sequence
from contextlib import AsyncExitStack

from caimi.client.amounts import format_amount
from caimi.client.doctor.clocks import check_head
from caimi.client.doctor.finding import Finding, failed
from caimi.composition.joining import administration_of
from caimi.composition.ledgers import family_of, prepare_ledger
from caimi.composition.routing import ListedRoute, list_routes
from caimi.config import LedgerSection, PlaceSection
from caimi.errors.base import CaimiError
from caimi.errors.ledgers import LedgerError, LedgerUnavailable, NotOffered, WrongLedger
from caimi.ledgers.port import Account, Ledger, LedgerId, name_of

WORK = 1_000_000
"""What a service account should be able to pay for at least: a large delivery."""


def check_place(place: PlaceSection) -> Finding:
    """Tell that CAIMI is not on a ledger yet."""
    return Finding(
        f"ledger {place.name}",
        "warning",
        f"CAIMI is not on {place.id} yet.",
        f"Run `caimi deploy {place.name}`, or remove its section from caimi.toml.",
    )


async def check_endpoints(section: LedgerSection) -> list[Finding]:
    """Check that each endpoint answers, serves the ledger, and how fresh its blocks are."""
    found: list[Finding] = []
    subject = f"ledger {section.name}"
    try:
        views = family_of(section).views(section)
    except LedgerError as error:  # what validators need, and nobody else
        found.append(Finding(subject, "warning", str(error), error.next_step))
        views = {"its own": prepare_ledger(section)}
    for name, view in views.items():
        try:
            await view.check()
            head, final = await view.head(), await view.finalized()
        except CaimiError as error:
            found.append(failed(f"{subject}, {name}", error))
            continue
        finally:
            await view.aclose()
        age = max(0, head.time - final.time)
        found.append(check_head(f"{subject}, {name}", head.time, time.time(), age))
    return found


async def told_once(check: Awaitable[list[Finding]]) -> list[Finding]:
    """Give what a check of a ledger finds: nothing where `check_endpoints` says why it cannot."""
    try:
        return await check
    except (LedgerUnavailable, WrongLedger):
        return []


async def check_contracts(section: LedgerSection) -> list[Finding]:
    """Check that a ledger has CAIMI as this version puts it there."""
    subject = f"contracts {section.name}"
    try:
        wrong = await administration_of(section).audit(section)
    except NotOffered:
        return [Finding(subject, "ok", "They are not deployed from here; nothing to compare.")]
    return [
        Finding(subject, "wrong", f"On {section.id} {each}.", f"Run `caimi deploy {section.name}`.")
        for each in wrong
    ] or [Finding(subject, "ok", "Code, links and roles are as they are deployed.")]


async def check_routes(sections: Sequence[LedgerSection]) -> list[Finding]:
    """Check that the routes between the configured ledgers are open at both ends."""
    async with AsyncExitStack() as stack:
        ledgers: dict[LedgerId, Ledger] = {}
        for section in sections:
            ledger = prepare_ledger(section)
            stack.push_async_callback(ledger.aclose)
            ledgers[LedgerId(section.id)] = ledger
        listed, _ = await list_routes(ledgers)
    if not listed and len(sections) > 1:
        return [
            Finding("routes", "warning", "There are none.", "Join two ledgers: `caimi route add`.")
        ]
    return [_route(each) for each in listed]


def _route(end: ListedRoute) -> Finding:
    subject = f"route {end.route.client_id}"
    if end.frozen:
        return Finding(
            subject,
            "wrong",
            f"Its client of {end.route.counterparty} is frozen: it proves nothing.",
            "Find out why; then `caimi governance propose recover-client`.",
        )
    if end.joined is False:
        return Finding(
            subject,
            "wrong",
            f"{end.route.counterparty} does not name it as its counterparty.",
            "Run `caimi route list`; a route that was begun is finished by `caimi route add`.",
        )
    if end.paused:
        return Finding(
            subject,
            "warning",
            f"It is paused: nothing goes to {end.route.counterparty}.",
            "Open it again with `caimi governance propose unpause-route`.",
        )
    signers = f", {end.signers} sign" if end.signers else ""
    return Finding(subject, "ok", f"To {end.route.counterparty}, by {end.client}{signers}.")


async def check_balances(section: LedgerSection, accounts: Sequence[Account]) -> list[Finding]:
    """Check that accounts can pay for a large transaction on their ledger."""
    ledger = prepare_ledger(section)
    try:
        coins = ledger.coins
        if coins is None:
            return []
        least = (await coins.work_price()).units * WORK
        found = []
        for account in accounts:
            held = await coins.balance(account)
            said = f"It has {format_amount(held)} {held.asset.symbol}".rstrip() + "."
            subject = f"account {name_of(account, ledger.accounts)}"
            if held.units >= least:
                found.append(Finding(subject, "ok", said))
            else:
                floor = format_amount(held.asset.of(least))
                found.append(
                    Finding(
                        subject, "warning", said, f"Send it coins: {floor} pay a large delivery."
                    )
                )
        return found
    finally:
        await ledger.aclose()
