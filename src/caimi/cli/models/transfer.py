"""`caimi transfer`: a model's ownership moves to an account, here or on another ledger."""

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
from caimi.cli.output import facts, fields_of, print_json
from caimi.cli.waiting import stages

if TYPE_CHECKING:
    from caimi.client.network import AsyncNetwork


def transfer(
    uri: UriArgument,
    recipient: Annotated[str, typer.Option("--to", help="Account, CAIP-10 id, or key name.")],
    ledger: LedgerOption = None,
    timeout: Annotated[
        int | None, typer.Option(min=1, max=86_400, help="Seconds until it refunds.")
    ] = None,
    min_depth: Annotated[
        int, typer.Option(min=0, max=9_000, help="Blocks over the transfer before it is taken.")
    ] = 0,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Move a model's ownership to an account, on the same ledger or another.

    From a ledger where it is a guest it goes on to others, and back the way it came.

    Example: [bold]caimi transfer caimi:eip155:31337:0x… --to bob -l c[/bold]
    """

    async def work(net: AsyncNetwork) -> None:
        with stages(quiet=as_json) as progress:
            done = await net.transfer(
                uri,
                recipient=recipient,
                to=ledger,
                timeout_seconds=timeout,
                min_depth=min_depth,
                progress=progress,
            )
        if as_json:
            print_json({"ok": True, **fields_of(done)})
        else:
            facts("Transferred", fields_of(done))

    with_network(config, key, as_json, work)
