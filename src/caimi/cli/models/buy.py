"""`caimi buy`: a licence, paid on any ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from caimi.cli.options import (
    ConfigOption,
    JsonOption,
    KeyOption,
    LedgerOption,
    UriArgument,
    somebody_there,
    with_network,
)
from caimi.cli.output import err, facts, fields_of, plain, print_json
from caimi.cli.waiting import stages
from caimi.errors.operations import LicensedElsewhere

if TYPE_CHECKING:
    from caimi.client.network import AsyncNetwork
    from caimi.client.purchase import Bought


def buy(
    uri: UriArgument,
    asset: Annotated[
        str | None,
        typer.Argument(help="Symbol of the token to pay in, of [[assets]]; else coins."),
    ] = None,
    ledger: LedgerOption = None,
    max_price: Annotated[
        str | None,
        typer.Option(help="Refuse to pay more of it; in coins, the relay deposit included."),
    ] = None,
    reader: Annotated[
        str | None,
        typer.Option(help="Whose licence it is: an account there, or a key's name; else yours."),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Pay though another ledger's licence opens it already.")
    ] = False,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Buy a licence, paying on any ledger; on the model's own unless --ledger names another.

    From another ledger a relay deposit is paid, too, in its coin, to whoever carries the purchase.

    Example: [bold]caimi buy caimi:eip155:31337:0x…@1.0.0 -l b -k bob --max-price 13 EURX[/bold]
    """
    terms = {"ledger": ledger, "asset": asset, "max_price": max_price, "reader": reader}

    def tell(text: str) -> None:
        if not as_json:
            err.print(plain(text), soft_wrap=True)

    async def pay(net: AsyncNetwork, *, again: bool) -> Bought:
        with stages(quiet=as_json) as progress:
            return await net.buy(uri, again=again, told=tell, progress=progress, **terms)

    async def work(net: AsyncNetwork) -> None:
        try:
            done = await pay(net, again=again)
        except LicensedElsewhere as error:
            if as_json or not somebody_there():
                raise
            err.print(f"[yellow]{plain(error.what)}[/yellow] {plain(error.why)}")
            if not typer.confirm("Pay for another one all the same?"):
                raise
            done = await pay(net, again=True)
        told = fields_of(done)
        if as_json:
            print_json({"ok": True, **told})
        else:
            told["price"] = f"{done.price} {told.pop('symbol')}"
            if done.deposit == "0":
                del told["deposit"]
            else:
                told["deposit"] = f"{done.deposit}, in the coin of {done.ledger}"
            facts("Licensed", told)

    with_network(config, key, as_json, work)
