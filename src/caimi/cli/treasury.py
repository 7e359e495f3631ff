"""`caimi treasury`: whom each ledger's treasury keeps in coins, and refilling them once."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from caimi.cli.options import (
    ConfigOption,
    JsonOption,
    LedgerOption,
    ask_passphrase,
    guarded,
)
from caimi.cli.output import err, facts, out, print_error, print_json, say, shown, table
from caimi.cli.plans import PlanConsent, PlanOption, YesOption, plan_document, show_plan
from caimi.errors.base import CaimiError

if TYPE_CHECKING:
    from caimi.client.money import Unread
    from caimi.client.refilling.rounds import LedgerTreasury, Refilled, RefillRound
    from caimi.client.refilling.sight import TreasurySight
    from caimi.config import Config
    from caimi.ledgers.port import AccountCodec, LedgerPlan, Money

app = typer.Typer(help="Keep service accounts in coins, under a cap a day.", no_args_is_help=True)


@app.command()
def show(
    ledger: LedgerOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Tell what treasuries and the accounts that they keep have. No passphrase is asked for.

    Example: [bold]caimi treasury show[/bold]
    """
    found, unread = guarded(as_json, lambda: asyncio.run(_look(config, ledger)))
    if as_json:
        told = [_document(treasury, sight) for treasury, sight in found]
        print_json({"ok": not unread, "treasuries": told, "unread": unread})
    else:
        for treasury, sight in found:
            _show(treasury, sight)
        for each in unread:
            err.print(shown(f"{each.ledger}: {each.error}", "red"))
    if unread:
        raise typer.Exit(1)


@app.command()
def refill(
    ledger: LedgerOption = None,
    plan: PlanOption = False,
    yes: YesOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fill accounts up that have less than their floor, once.

    Run again, it finishes what was killed, and pays nothing twice.

    Example: [bold]caimi treasury refill[/bold]
    """
    guarded(as_json, lambda: asyncio.run(_refill(config, ledger, PlanConsent(plan, yes, as_json))))


async def _look(
    path: Path | None, ledger: str | None
) -> tuple[list[tuple[LedgerTreasury, TreasurySight]], list[Unread]]:
    from caimi.client.money import Unread
    from caimi.client.refilling.opening import kept_journal, open_treasury, treasury_sections
    from caimi.config import load_config
    from caimi.errors.ledgers import LedgerError, NotOffered

    config = load_config(path)
    found, unread = [], []
    async with AsyncExitStack() as stack:
        journal = kept_journal(stack, config)
        for section in treasury_sections(config, ledger):
            try:
                treasury = await open_treasury(stack, config, section)
                found.append((treasury, await treasury.look(journal)))
            except NotOffered:
                raise
            except LedgerError as error:
                unread.append(Unread(config.ledger(section.ledger).id, str(error)))
    return found, unread


async def _refill(path: Path | None, ledger: str | None, consent: PlanConsent) -> None:
    from caimi.client.refilling.opening import open_treasury, treasury_sections
    from caimi.config import load_config
    from caimi.persistence import open_journal

    config = load_config(path)
    async with AsyncExitStack() as stack:
        journal = stack.enter_context(closing(open_journal(config)))
        rounds: list[tuple[LedgerTreasury, RefillRound]] = []
        for section in treasury_sections(config, ledger):
            treasury = await open_treasury(stack, config, section)
            found = await stack.enter_async_context(treasury.round(journal))
            rounds.append((treasury, found))
        plans = [_plan(treasury, found.sight) for treasury, found in rounds]
        if not consent.as_json:
            for (treasury, found), each in zip(rounds, plans, strict=True):
                _show_plan(treasury, found.sight, each)
        if consent.ends_with_plan(plans=[plan_document(each) for each in plans]):
            return
        if any(each.steps for each in plans):
            consent.ask()
        done, failures = await _carry_out(config, rounds, as_json=consent.as_json)
    if consent.as_json:
        errors = [each.as_dict() for each in failures]
        told = {"error": errors[0], "errors": errors} if errors else {}
        print_json({"ok": not errors, "refilled": done, **told})
    for error in () if consent.as_json else failures:
        print_error(error, as_json=False)
    if failures:
        raise typer.Exit(1)


async def _carry_out(
    config: Config, rounds: list[tuple[LedgerTreasury, RefillRound]], *, as_json: bool
) -> tuple[list[dict[str, str]], list[CaimiError]]:
    """Carry all rounds out that have something to do; give what was paid, and what was not."""
    from caimi.client.keyring import Keyring
    from caimi.ledgers.port import name_of

    keyring = Keyring(config, ask_passphrase)
    done: list[dict[str, str]] = []
    failures: list[CaimiError] = []
    for treasury, found in rounds:
        accounts = treasury.ledger.accounts

        def tell(paid: Refilled, accounts: AccountCodec = accounts) -> None:
            account = name_of(paid.account, accounts)
            done.append({"account": account, **_amount(paid.amount), "tx": paid.tx})
            if not as_json:
                say("Sent {} to {} ({})", _said(paid.amount), account, paid.tx)

        sight = found.sight
        if not sight.open and not sight.low:
            continue
        key = await asyncio.to_thread(keyring.open, treasury.terms.key)
        outcome = await found.carry_out(key.signer_on(treasury.ledger.id), tell)
        failures += outcome.failures(accounts)
    return done, failures


def _plan(treasury: LedgerTreasury, sight: TreasurySight) -> LedgerPlan:
    from caimi.ledgers.port import LedgerPlan, PlannedStep

    accounts, why = treasury.ledger.accounts, _reasons(treasury)
    steps = [
        PlannedStep(
            f"Send {_said(each.amount)} to {accounts.text(each.account)} "
            f"({why.get(each.account, 'not kept any more')})",
            0,
            each in sight.open,
        )
        for each in (*sight.open, *sight.plan.refills)
    ]
    refills = sight.plan.refills
    cost = sum(each.amount.units + sight.seen.transfer_cost.units for each in refills)
    coin = treasury.terms.limits.floor.asset
    return LedgerPlan(
        treasury.ledger.id,
        treasury.terms.account,
        tuple(steps),
        likely=coin.of(cost),
        held=sight.seen.treasury,
    )


def _show_plan(treasury: LedgerTreasury, sight: TreasurySight, plan: LedgerPlan) -> None:
    if plan.steps:
        show_plan(plan)
    elif not sight.low:
        out.print(shown(f"On {plan.ledger} every account has its floor."), soft_wrap=True)
    accounts = treasury.ledger.accounts
    for who, why in (
        (sight.plan.capped, "the daily cap is reached"),
        (sight.plan.short, "the treasury has too little"),
    ):
        for each in who:
            out.print(shown(f"Not {accounts.text(each)}: {why}.", "yellow"), soft_wrap=True)


def _show(treasury: LedgerTreasury, sight: TreasurySight) -> None:
    limits, accounts = treasury.terms.limits, treasury.ledger.accounts
    facts(
        f"Treasury of {treasury.ledger.id}",
        {
            "account": accounts.text(treasury.terms.account),
            "has": _said(sight.seen.treasury) + (" (low)" if sight.draining else ""),
            "floor": _said(limits.floor),
            "ceiling": _said(limits.ceiling),
            "left in a day": _said(sight.spent),
            "may leave": f"{_said(sight.left)} of {_said(limits.daily_cap)}",
        },
    )
    states = _states(sight)
    rows = [
        (
            accounts.text(each.account),
            each.why,
            _said(sight.seen.accounts[each.account]),
            states[each.account],
        )
        for each in treasury.terms.recipients
    ]
    table("Accounts", ("account", "kept as", "has", "state"), rows)
    if sight.plan.refills:
        say("Next: [bold]caimi treasury refill[/bold]")


def _states(sight: TreasurySight) -> dict[object, str]:
    return {
        **dict.fromkeys(sight.seen.accounts, "well"),
        **dict.fromkeys(sight.low, "low"),
        **dict.fromkeys(sight.plan.capped, "low, capped"),
        **dict.fromkeys(sight.plan.short, "low, short"),
        **{each.account: "on its way" for each in sight.open},
    }


def _document(treasury: LedgerTreasury, sight: TreasurySight) -> dict[str, object]:
    from caimi.ledgers.port import name_of

    limits, accounts, states = treasury.terms.limits, treasury.ledger.accounts, _states(sight)
    return {
        "ledger": treasury.ledger.id,
        "account": name_of(treasury.terms.account, accounts),
        **_amount(sight.seen.treasury),
        "draining": sight.draining,
        **{
            name: _amount(amount)
            for name, amount in (
                ("floor", limits.floor),
                ("ceiling", limits.ceiling),
                ("daily_cap", limits.daily_cap),
                ("low", limits.low),
                ("spent", sight.spent),
                ("left", sight.left),
            )
        },
        "accounts": [
            {
                "account": name_of(each.account, accounts),
                "kept_as": each.why,
                **_amount(sight.seen.accounts[each.account]),
                "state": states[each.account],
            }
            for each in treasury.terms.recipients
        ],
    }


def _reasons(treasury: LedgerTreasury) -> dict[object, str]:
    return {each.account: each.why for each in treasury.terms.recipients}


def _amount(amount: Money) -> dict[str, str]:
    from caimi.client.amounts import format_amount

    symbol, units = amount.asset.symbol, str(amount.units)
    return {"amount": format_amount(amount), "symbol": symbol, "units": units}


def _said(amount: Money) -> str:
    from caimi.client.amounts import said

    return said(amount)
