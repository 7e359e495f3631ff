"""`caimi grant`: a licence without payment, by the model's owner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from caimi.cli import completing
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


def grant(
    uri: UriArgument,
    consumer: Annotated[
        str,
        typer.Option(
            "--to", help="Account, CAIP-10 id, or key name.", autocompletion=completing.keys
        ),
    ],
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give an account a licence of a version, without payment. The model's owner only.

    The account is of the model's own ledger, unless --ledger or a CAIP-10 id names another; the
    licence is on the model's own. Without a version it is of the newest that is not deprecated.

    Example: [bold]caimi grant caimi:eip155:31337:0x…@1.0.0 --to bob -k alice[/bold]
    """

    async def work(net: AsyncNetwork) -> None:
        with stages(quiet=as_json) as progress:
            done = await net.grant(uri, consumer=consumer, ledger=ledger, progress=progress)
        if as_json:
            print_json({"ok": True, **fields_of(done)})
        else:
            facts("Granted", fields_of(done))

    with_network(config, key, as_json, work)
