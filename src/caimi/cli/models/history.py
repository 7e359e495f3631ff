"""`caimi history`: what happened to a model, or to one of its aliases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from caimi.cli import completing
from caimi.cli.options import ConfigOption, JsonOption, UriArgument, with_network
from caimi.cli.output import block_bars, print_json, say, table
from caimi.times import time_text

if TYPE_CHECKING:
    from caimi.client.network import AsyncNetwork


def history(
    uri: UriArgument,
    alias: Annotated[
        str | None,
        typer.Option(help="Only this alias's history.", autocompletion=completing.aliases),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List everything that happened to a model, on every ledger, or to one of its aliases.

    Example: [bold]caimi history caimi:eip155:31337:0x…[/bold]
    """

    async def work(net: AsyncNetwork) -> None:
        if alias is not None:
            changes = await net.alias_history(uri, alias)
            if as_json:
                print_json({"ok": True, "alias": alias, "changes": changes})
            else:
                table(
                    f"Alias {alias}",
                    ("time", "version"),
                    [(time_text(c.time), c.version) for c in changes],
                )
            return
        with block_bars(quiet=as_json) as progress:
            lines = await net.history(uri, progress=progress)
        if as_json:
            print_json({"ok": True, "history": lines})
        else:
            for line in lines:
                undone = "" if line.final else " (not final yet)"
                what = f"{line.who.removeprefix(f'{line.ledger}:')} {line.what}".strip()
                say("{}  {}  {}{}", time_text(line.time), line.ledger, what, undone)
            if not lines:
                say("Nothing has happened to it on the configured ledgers.")

    with_network(config, None, as_json, work, reading=True)
