"""`caimi deprecate`: a version that gets no new licences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from caimi.cli.options import ConfigOption, JsonOption, KeyOption, UriArgument, with_network
from caimi.cli.output import print_json, say

if TYPE_CHECKING:
    from caimi.client.network import AsyncNetwork


def deprecate(
    uri: UriArgument,
    reason: Annotated[str, typer.Option(help="Why, for those who use it.")],
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Mark a version as deprecated: no new licences, no new aliases.

    Example: [bold]caimi deprecate caimi:eip155:31337:0x…@1.0.0 --reason "see 1.1.0"[/bold]
    """

    async def work(net: AsyncNetwork) -> None:
        receipt = await net.deprecate(uri, reason)
        if as_json:
            print_json({"ok": True, "uri": uri, "tx": receipt.tx})
        else:
            say("{} is deprecated.", uri)

    with_network(config, key, as_json, work)
