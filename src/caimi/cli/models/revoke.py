"""`caimi revoke`: a licence is taken back, by the model's owner."""

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


def revoke(
    uri: UriArgument,
    consumer: Annotated[
        str,
        typer.Option(
            "--from", help="Account, CAIP-10 id, or key name.", autocompletion=completing.keys
        ),
    ],
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a licence back: custodians honour it no more. The model's owner only.

    The account is of the model's own ledger, unless --ledger or a CAIP-10 id names another. Nothing
    is refunded, and what was opened before stays open. `caimi grant` gives it again.

    Example: [bold]caimi revoke caimi:eip155:31337:0x…@1.0.0 --from bob -k alice[/bold]
    """

    async def work(net: AsyncNetwork) -> None:
        with stages(quiet=as_json) as progress:
            done = await net.revoke(uri, consumer=consumer, ledger=ledger, progress=progress)
        if as_json:
            print_json({"ok": True, **fields_of(done)})
        else:
            facts("Revoked", fields_of(done))

    with_network(config, key, as_json, work)
