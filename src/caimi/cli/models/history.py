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
    from caimi.client.catalogue import HistoryLine
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
                say(
                    "{}  {}  [bold]{}[/bold]  {}  [dim]block {}, {}[/dim]",
                    _when(line.time),
                    line.ledger,
                    _event(line),
                    _LONG.sub(r"\1…", line.detail),
                    line.height,
                    _LONG.sub(r"\1…", line.tx),
                )
            if not lines:
                say("[dim]Nothing happened to it.[/dim]")

    with_network(config, None, as_json, work, reading=True)


def _event(line: HistoryLine) -> str:
    return line.event if line.final else f"{line.event} (not final yet)"


def _when(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
