"""`caimi asset`: a ledger's accounting asset, which a named issuer makes and redeems."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from caimi.cli.one_ledger import identity_of, on_ledger, send_as
from caimi.cli.options import ConfigOption, JsonOption, KeyOption, LedgerOption
from caimi.cli.output import facts, print_json, say
from caimi.cli.plans import PlanConsent, PlanOption, YesOption, plan_document, show_plan
from caimi.errors.operations import UsageError

if TYPE_CHECKING:
    from caimi.ledgers.port import Account, Call, IssuedCoins, Ledger, Money

app = typer.Typer(
    help="A ledger's accounting asset: its issuer makes units, and who has them redeems them.",
    no_args_is_help=True,
)
AmountArgument = Annotated[str, typer.Argument(help="How much, such as 12.50.")]
SymbolArgument = Annotated[str, typer.Argument(help="The asset's symbol.")]


@app.command()
def show(
    ledger: LedgerOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Tell which accounting asset a ledger has, and how much of it there is.

    Example: [bold]caimi asset show -l consortium[/bold]
    """

    async def work(opened: Ledger) -> None:
        from caimi.client.amounts import format_amount

        coins = _issued(opened)
        supply = await coins.supply()
        told = {
            "ledger": opened.id,
            "symbol": coins.asset.symbol,
            "decimals": coins.asset.decimals,
            "supply": format_amount(supply),
        }
        if as_json:
            print_json({"ok": True, **told})
        else:
            facts("Accounting asset", told)

    on_ledger(config, ledger, as_json, work)


@app.command()
def mint(
    amount: AmountArgument,
    symbol: SymbolArgument,
    account: Annotated[str, typer.Argument(help="Who gets them, by account or CAIP-10 id.")],
    ledger: LedgerOption = None,
    plan: PlanOption = False,
    yes: YesOption = False,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make units for an account that paid for them outside. The issuer only.

    Run again after it was interrupted, it makes none twice.

    Example: [bold]caimi asset mint 100 EUR ACCOUNT -l consortium -k issuer[/bold]
    """

    async def work(opened: Ledger) -> None:
        coins = _issued(opened)
        wanted, recipient = _amount(coins, amount, symbol), _account(opened, account)
        what = f"Making {amount} {symbol} for {opened.accounts.text(recipient)}"
        consent = PlanConsent(plan, yes, as_json)
        await _send(opened, coins.mint(recipient, wanted), what, (config, key), consent)

    on_ledger(config, ledger, as_json, work)


@app.command()
def redeem(
    amount: AmountArgument,
    symbol: SymbolArgument,
    reference: Annotated[
        str, typer.Option("--reference", help="What the issuer is to pay it by, outside.")
    ],
    ledger: LedgerOption = None,
    plan: PlanOption = False,
    yes: YesOption = False,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hand units back: they are burned, and the issuer owes what they stand for, outside.

    Everybody on the channel sees the reference.

    Example: [bold]caimi asset redeem 12.50 EUR --reference invoice-7 -l consortium -k alice[/bold]
    """

    async def work(opened: Ledger) -> None:
        coins = _issued(opened)
        wanted = _amount(coins, amount, symbol)
        what = f"Redeeming {amount} {symbol} as {reference!r}"
        consent = PlanConsent(plan, yes, as_json)
        await _send(opened, coins.redeem(wanted, reference), what, (config, key), consent)

    on_ledger(config, ledger, as_json, work)


async def _send(
    opened: Ledger,
    call: Call[None],
    what: str,
    by: tuple[Path | None, str | None],
    consent: PlanConsent,
) -> None:
    """Show what is done, ask, and do it once."""
    from caimi.client.keyring import Keyring
    from caimi.config import load_config
    from caimi.ledgers.port import LedgerPlan, PlannedStep

    config, key = by
    keyring = Keyring(load_config(config))
    account = keyring.account_on(opened.id, keyring.chosen(key))
    planned = LedgerPlan(opened.id, account, (PlannedStep(what, 0, False),))
    if not consent.as_json:
        show_plan(planned)
    if consent.ends_with_plan(plan=plan_document(planned)):
        return
    consent.ask()
    signer = (await identity_of(config, key)).signer_on(opened.id)
    sent = await send_as(opened, call, config, signer)
    if consent.as_json:
        print_json({"ok": True, "plan": plan_document(planned), **sent})
    else:
        say("Done: {} ({})", what, sent["tx"])


def _issued(opened: Ledger) -> IssuedCoins:
    from caimi.errors.ledgers import NotOffered
    from caimi.ledgers.port import IssuedCoins

    if not isinstance(opened.coins, IssuedCoins):
        raise NotOffered(f"{opened.id} has no accounting asset.")
    return opened.coins


def _amount(coins: IssuedCoins, amount: str, symbol: str) -> Money:
    from caimi.client.amounts import parse_amount

    if symbol != coins.asset.symbol:
        raise UsageError(f"The accounting asset there is {coins.asset.symbol}, not {symbol!r:.40}.")
    return parse_amount(amount, coins.asset)


def _account(opened: Ledger, text: str) -> Account:
    from caimi.composition.ledgers import account_among

    return account_among(text, {opened.id: opened}) if ":" in text else opened.accounts.parse(text)
