"""`caimi balance`, `caimi earnings`, `caimi withdraw`: what one has and is owed, on all ledgers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias, TypeVar

import typer

from caimi.cli.options import (
    AccountOption,
    ConfigOption,
    JsonOption,
    KeyOption,
    LedgerOption,
    guarded,
    with_network,
)
from caimi.cli.output import err, print_json, say, shown, table
from caimi.cli.waiting import stages
from caimi.errors.operations import UsageError

if TYPE_CHECKING:
    from caimi.client.assets import Assets
    from caimi.client.money import Balance, Due, Unread, Withdrawn
    from caimi.client.network import AsyncNetwork
    from caimi.ledgers.port import Account, Ledger

    _Reading: TypeAlias = Callable[
        [Iterable[tuple[Ledger, Account]], Assets], Awaitable[tuple[list["T"], list[Unread]]]
    ]

T = TypeVar("T", bound="Balance | Due")


@dataclass(frozen=True, slots=True)
class _Holders:
    """Whose money is asked about: accounts, or else those of a key, which is not opened."""

    config: Path | None
    key: str | None
    ledger: str | None
    accounts: Sequence[str]


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

    asked = _Holders(config, key, ledger, account or ())
    _tell("balances", asked, balances, as_json, ("account",), lambda each: (each.account,))


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

    asked = _Holders(config, key, ledger, account or ())
    columns = ("account", "by")
    _tell("earnings", asked, dues, as_json, columns, lambda each: (each.account, each.source))


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

        with stages(quiet=as_json) as progress:
            paid = await pay_out(net.context, ledgers, payee=payee, told=tell, progress=progress)
        if as_json:
            print_json({"ok": True, "withdrawn": paid})
        elif not paid:
            say("Nothing is owed.")

    with_network(config, key, as_json, work)


def _tell(
    name: str,
    holders: _Holders,
    read: _Reading[T],
    as_json: bool,
    columns: tuple[str, ...],
    of: Callable[[T], tuple[str, ...]],
) -> None:
    """Print what is read; then name the ledgers that could not be, and end with 1 if any."""
    found, unread = guarded(as_json, lambda: asyncio.run(_ask(holders, read)))
    if as_json:
        print_json({"ok": not unread, name: found, "unread": unread})
    else:
        rows = [(*of(each), f"{each.amount} {each.symbol}") for each in found]
        table(name.capitalize(), (*columns, "amount"), rows)
        if found and name == "earnings":
            say("Next: [bold]caimi withdraw[/bold]")
        for each in unread:
            err.print(shown(f"{each.ledger}: {each.error}", "red"))
    if unread:
        raise typer.Exit(1)


async def _ask(holders: _Holders, read: _Reading[T]) -> tuple[list[T], list[Unread]]:
    from caimi.client.assets import Assets
    from caimi.client.keyring import Keyring
    from caimi.composition.assets import assets_of
    from caimi.composition.ledgers import account_among, prepare_ledger
    from caimi.config import load_config
    from caimi.ledgers.port import LedgerId

    settings = load_config(holders.config)
    named = holders.ledger
    sections = settings.ledgers if named is None else [settings.ledger(named)]
    async with AsyncExitStack() as stack:
        ledgers = {LedgerId(section.id): prepare_ledger(section) for section in sections}
        for each in ledgers.values():
            stack.push_async_callback(each.aclose)
        if holders.accounts:
            accounts = [account_among(text, ledgers) for text in holders.accounts]
        else:
            keyring = Keyring(settings)
            accounts = keyring.accounts(keyring.chosen(holders.key))
        known = [(ledgers[who.ledger], who) for who in accounts if who.ledger in ledgers]
        return await read(known, Assets(assets_of(settings)))
