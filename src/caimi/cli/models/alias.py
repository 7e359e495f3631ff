"""`caimi alias`: an alias points at a version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from caimi.cli import completing
from caimi.cli.options import ConfigOption, JsonOption, KeyOption, UriArgument, with_network
from caimi.cli.output import print_json, say

if TYPE_CHECKING:
    from caimi.client.network import AsyncNetwork


def set_alias(
    uri: UriArgument,
    alias: Annotated[
        str, typer.Argument(help="Such as production.", autocompletion=completing.aliases)
    ],
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Point an alias at a version; its history keeps every earlier target.

    Example: [bold]caimi alias caimi:eip155:31337:0x…@1.1.0 production[/bold]
    """

    async def work(net: AsyncNetwork) -> None:
        receipt = await net.set_alias(uri, alias)
        if as_json:
            print_json({"ok": True, "alias": alias, "uri": uri, "tx": receipt.tx})
        else:
            say("{} now points at {}.", alias, uri)

    with_network(config, key, as_json, work)
