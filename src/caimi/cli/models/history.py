"""`caimi history`: what happened to a model, or to one of its aliases."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer

from caimi.cli import completing
from caimi.cli.options import ConfigOption, JsonOption, UriArgument, with_network
from caimi.cli.output import block_bars, print_json, say, table

if TYPE_CHECKING:
    from caimi.client.network import AsyncNetwork

_LONG: Final = re.compile(r"(0x[0-9a-f]{8})[0-9a-f]{56,}")
"""An id or a digest: whole in JSON, where it is for copying."""


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
                    [(_when(c.time), c.version) for c in changes],
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
                say("{}  {}  {}{}", _when(line.time), line.ledger, what, undone)
            if not lines:
                say("Nothing has happened to it on the configured ledgers.")

    with_network(config, None, as_json, work, reading=True)


def _when(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
