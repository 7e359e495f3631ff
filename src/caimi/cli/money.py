"""`caimi balance`, `caimi earnings`, `caimi withdraw`: what one has and is owed, on all ledgers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from caimi.cli.options import (
    ConfigOption,
    JsonOption,
    KeyOption,
    LedgerOption,
    guarded,
    with_network,
)
from caimi.cli.output import err, print_json, say, shown, table
from caimi.errors.operations import UnknownLedger, UsageError

if TYPE_CHECKING:
    from caimi.client.assets import Assets
    from caimi.client.money import Unread, Withdrawn
    from caimi.client.network import AsyncNetwork
    from caimi.ledgers.port import Account, Ledger

T = TypeVar("T")

AccountOption = Annotated[
    list[str] | None,
    typer.Option("--account", help="Account to tell of (CAIP-10), and not the key's own."),
]


def balance(
    account: AccountOption = None,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell what an account has on each ledger. No passphrase is asked for.

    Example: [bold]caimi balance -k alice[/bold]
    """
    from caimi.client.money import balances

    found, unread = _asked(config, key, ledger, account or (), as_json, balances)
    if as_json:
        print_json({"ok": not unread, "balances": found, "unread": unread})
    else:
        rows = [(each.ledger, each.account, f"{each.amount} {each.symbol}") for each in found]
        table("Balances", ("ledger", "account", "amount"), rows)
    _end(unread, as_json=as_json)


def earnings(
    account: AccountOption = None,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell what an account is owed on each ledger, without asking for a passphrase.

    Example: [bold]caimi earnings -k alice[/bold]
    """
    from caimi.client.money import dues

    found, unread = _asked(config, key, ledger, account or (), as_json, dues)
    if as_json:
        print_json({"ok": not unread, "earnings": found, "unread": unread})
    else:
        rows = [(each.ledger, each.source, f"{each.amount} {each.symbol}") for each in found]
        table("Owed", ("ledger", "by", "amount"), rows)
        if found:
            say("Next: [bold]caimi withdraw[/bold]")
    _end(unread, as_json=as_json)


def withdraw(
    to: Annotated[
        str | None, typer.Option(help="Account that is paid, not the key's; needs --ledger.")
    ] = None,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have everything paid out that ledgers owe the key's accounts: sales, refunds, fees.

    Example: [bold]caimi withdraw -k alice[/bold]
    """
    from caimi.client.money import withdraw as pay_out

    async def work(net: AsyncNetwork) -> None:
        ledgers = net.ledgers(ledger)
        if to is not None and len(ledgers) != 1:
            raise UsageError("`--to` is an account of one ledger: name it with --ledger.")
        payee = None if to is None else ledgers[0].accounts.parse(to)

        def tell(done: Withdrawn) -> None:
            if not as_json:
                what = f"{done.amount} {done.symbol}".strip() or "what an earlier run had begun"
                say("{}: {} of {} to {} ({})", done.ledger, what, done.source, done.payee, done.tx)

        paid = await pay_out(net.context, ledgers, payee=payee, told=tell)
        if as_json:
            print_json({"ok": True, "withdrawn": paid})
        elif not paid:
            say("Nothing is owed.")

    with_network(config, key, as_json, work)


def _asked(
    config: Path | None,
    key: str | None,
    ledger: str | None,
    accounts: Sequence[str],
    as_json: bool,
    read: Callable[[list[tuple[Ledger, Account]], Assets], Awaitable[tuple[list[T], list[Unread]]]],
) -> tuple[list[T], list[Unread]]:
    """Ask ledgers about accounts, or else about those of a key, which is not opened."""
    from caimi.client.assets import Assets
    from caimi.client.keyring import Keyring
    from caimi.composition.assets import assets_of
    from caimi.composition.ledgers import prepare_ledger
    from caimi.config import load_config

    async def session() -> tuple[list[T], list[Unread]]:
        settings = load_config(config)
        sections = settings.ledgers if ledger is None else [settings.ledger(ledger)]
        assets = Assets(assets_of(settings))
        async with AsyncExitStack() as stack:
            ledgers = [prepare_ledger(section) for section in sections]
            for each in ledgers:
                stack.push_async_callback(each.aclose)
            if accounts:
                return await read([_named(ledgers, text) for text in accounts], assets)
            keyring = Keyring(settings)
            held = {each.ledger: each for each in keyring.accounts_held(keyring.chosen(key))}
            known = [(each, held[each.id]) for each in ledgers if each.id in held]
            return await read(known, assets)

    return guarded(as_json, lambda: asyncio.run(session()))


def _named(ledgers: Sequence[Ledger], text: str) -> tuple[Ledger, Account]:
    from caimi.chains import AccountId

    named = AccountId.parse(text)
    for ledger in ledgers:
        if ledger.id == named.ledger:
            return ledger, ledger.accounts.parse(named.address)
    raise UnknownLedger(f"{text!r} is of a ledger that is not asked.")


def _end(unread: Sequence[Unread], *, as_json: bool) -> None:
    """Name the ledgers that could not be read, and end with status 1 if there are any."""
    for each in () if as_json else unread:
        err.print(shown(f"{each.ledger}: {each.error}", "red"))
    if unread:
        raise typer.Exit(1)


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the application."""
    for command in (balance, earnings, withdraw):
        app.command()(command)
