"""`caimi licences`: what one may use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caimi.cli.options import AccountOption, ConfigOption, JsonOption, KeyOption, with_network
from caimi.cli.output import block_bars, print_json, table
from caimi.times import date_text

if TYPE_CHECKING:
    from caimi.client.network import AsyncNetwork


def licences(
    account: AccountOption = None,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the licences that a key's accounts hold, on all ledgers, without opening the key.

    Example: [bold]caimi licences -k bob[/bold]
    """
    from caimi.client.keyring import Keyring

    async def work(net: AsyncNetwork) -> None:
        keyring = Keyring(net.config)
        held = (
            [net.account_named(each) for each in account]
            if account
            else keyring.accounts(keyring.chosen(key))
        )
        with block_bars(quiet=as_json) as progress:
            found = await net.licences(held, progress=progress)
        if as_json:
            print_json({"ok": True, "licences": found})
            return
        rows = [
            (
                each.name,
                each.uri,
                each.consumer,
                date_text(each.since),
                "yes" if each.live else "REVOKED",
            )
            for each in found
        ]
        table("Licences", ("model", "uri", "account", "since", "live"), rows)

    with_network(config, None, as_json, work, reading=True)
