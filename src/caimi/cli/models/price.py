"""`caimi price`: what licences of a model cost, and asking another price."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from caimi.cli.options import ConfigOption, JsonOption, KeyOption, UriArgument, with_network
from caimi.cli.output import out, print_json, say, shown

if TYPE_CHECKING:
    from caimi.client.network import AsyncNetwork
    from caimi.client.pricing import PricedModel

app = typer.Typer(help="What licences of a model cost, in coins and tokens.", no_args_is_help=True)


@app.command("set")
def set_price(
    uri: UriArgument,
    amount: Annotated[str, typer.Argument(help="Licence price, on every ledger that has it.")],
    asset: Annotated[
        str | None, typer.Argument(help="Symbol of a token, of [[assets]]; else in coins.")
    ] = None,
    payee: Annotated[
        list[str] | None,
        typer.Option(help="CAIP-10 account that is paid on its ledger; else your own there."),
    ] = None,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask another price for licences of a model you own; those in other assets stay.

    Example: [bold]caimi price set caimi:eip155:31337:0x… 12.50 EURX -k alice[/bold]
    """

    async def work(net: AsyncNetwork) -> None:
        _tell(await net.set_price(uri, amount, asset, payees=payee or ()), as_json=as_json)

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
        print_json({"ok": True, "uri": priced.uri, "prices": priced.prices})
        return
    out.print(shown(priced.uri, "bold"), soft_wrap=True)
    for each in priced.prices:
        say("  {} on {}, to {}", each.said, each.ledger, each.payee)
    if not priced.prices:
        say("  not for sale for anything that is configured here")
