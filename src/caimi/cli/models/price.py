"""`caimi price`: what licences of a model cost, asking another price, and taking it off sale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from caimi.cli.options import (
    ConfigOption,
    JsonOption,
    KeyOption,
    LedgerOption,
    UriArgument,
    with_network,
)
from caimi.cli.output import block_bars, fields_of, out, print_json, say, shown

if TYPE_CHECKING:
    from caimi.client.network import AsyncNetwork
    from caimi.client.pricing import PricedModel

app = typer.Typer(help="What licences of a model cost, in coins and tokens.", no_args_is_help=True)


@app.command("set")
def set_price(
    uri: UriArgument,
    amount: Annotated[
        str, typer.Argument(help="Licence price; on every ledger that has it, or on --ledger.")
    ],
    asset: Annotated[
        str | None, typer.Argument(help="Symbol of a token, of [[assets]]; else in coins.")
    ] = None,
    payee: Annotated[
        list[str] | None,
        typer.Option(help="CAIP-10 account that is paid on its ledger; else your own there."),
    ] = None,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask another price for licences of a model you own; all other prices stay.

    Example: [bold]caimi price set caimi:eip155:31337:0x… 12.50 EURX -k alice[/bold]
    """

    async def work(net: AsyncNetwork) -> None:
        done = await net.set_price(uri, amount, asset, payees=payee or (), ledger=ledger)
        _tell(done, as_json=as_json)

    with_network(config, key, as_json, work)


@app.command("withdraw")
def withdraw_price(
    uri: UriArgument,
    asset: Annotated[
        str | None,
        typer.Argument(help="Symbol of a token, or coin; else whatever it is sold for."),
    ] = None,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a model you own off sale: wholly, for one asset, or where --ledger says.

    Licences that were bought stay. `caimi price set` offers it again.

    Example: [bold]caimi price withdraw caimi:eip155:31337:0x… -l b -k alice[/bold]
    """

    async def work(net: AsyncNetwork) -> None:
        with block_bars(quiet=as_json) as progress:
            done = await net.withdraw_price(uri, asset, ledger=ledger, progress=progress)
        if as_json:
            print_json({"ok": True, **fields_of(done)})
            return
        for each in done.withdrawn:
            say("No longer asked: {} on {}", each.said, each.ledger)
        if not done.withdrawn:
            say("It was not for sale there: nothing to withdraw.")
        for each in done.prices:
            say("Still asked: {} on {}", each.said, each.ledger)

    with_network(config, key, as_json, work)


@app.command("show")
def show_price(uri: UriArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Tell what licences of a model cost now, where, and who is paid.

    Example: [bold]caimi price show caimi:eip155:31337:0x…[/bold]
    """

    async def work(net: AsyncNetwork) -> None:
        _tell(await net.prices(uri), as_json=as_json)

    with_network(config, None, as_json, work, reading=True)


def _tell(priced: PricedModel, *, as_json: bool) -> None:
    if as_json:
        print_json({"ok": True, **fields_of(priced)})
        return
    out.print(shown(priced.uri, "bold"), soft_wrap=True)
    for each in priced.prices:
        say("  {} on {}, to {}", each.said, each.ledger, each.payee)
    for ledger in priced.unpriced:
        say("  not for sale on {} for anything that is configured here", ledger)
