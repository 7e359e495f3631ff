"""`caimi price`: another price for licences of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from caimi.cli.options import ConfigOption, JsonOption, KeyOption, UriArgument, with_network
from caimi.cli.output import facts, fields_of, print_json

if TYPE_CHECKING:
    from caimi.client.network import AsyncNetwork


def price(
    uri: UriArgument,
    amount: Annotated[str, typer.Argument(help="Licence price in coins, on every ledger.")],
    payee: Annotated[
        list[str] | None,
        typer.Option(help="CAIP-10 account that is paid on its ledger; else your own there."),
    ] = None,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask another price for licences of a model you own.

    Example: [bold]caimi price caimi:eip155:31337:0x… 7 --payee eip155:31338:0x…[/bold]
    """

    async def work(net: AsyncNetwork) -> None:
        done = await net.set_price(uri, amount, payees=payee or ())
        if as_json:
            print_json({"ok": True, **fields_of(done)})
        else:
            prices = {
                where: f"{each}, to {done.payees[where]}" for where, each in done.prices.items()
            }
            facts("Priced", {"uri": done.uri, **prices})

    with_network(config, key, as_json, work)
