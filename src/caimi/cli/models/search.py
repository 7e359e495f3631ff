"""`caimi search`: models by a part of their name or id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from caimi.cli.options import ConfigOption, JsonOption, LedgerOption, with_network
from caimi.cli.output import block_bars, facts, out, print_json

if TYPE_CHECKING:
    from caimi.client.network import AsyncNetwork


def search(
    text: Annotated[str, typer.Argument(help="A part of the name or id.")] = "",
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find models, on one ledger or on all.

    Example: [bold]caimi search tumour[/bold]
    """

    async def work(net: AsyncNetwork) -> None:
        with block_bars(quiet=as_json) as progress:
            found = await net.search(text, ledger, progress=progress)
        if as_json:
            print_json({"ok": True, "models": found})
            return
        for m in found:
            sold = ", ".join(f"{price} on {where}" for where, price in m.prices.items())
            unsettled = "" if m.final else " (not final yet)"
            facts(
                f"{m.name} {m.latest}{unsettled}", {"uri": m.uri, "price": sold or "not for sale"}
            )
        if not found:
            out.print("[dim]No model has that in its name or id.[/dim]")

    with_network(config, None, as_json, work, reading=True)
