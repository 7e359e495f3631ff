"""`caimi keys`: make and list keys."""

from __future__ import annotations

from typing import Annotated

import typer

from caimi.cli.options import ConfigOption, JsonOption, ask_passphrase, guarded
from caimi.cli.output import print_json, say, table

app = typer.Typer(help="Make and list keys (V3 keystores; never plain text).", no_args_is_help=True)


@app.command("new")
def new(
    name: Annotated[str, typer.Argument(help="A short name, such as alice.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an account key and a package-signing key.

    Example: [bold]caimi keys new alice[/bold]
    """
    from caimi.client.keyring import Keyring
    from caimi.config import load_config

    def make() -> None:
        keyring = Keyring(load_config(config), ask_passphrase)
        keyring.new(name)
        account = keyring.account(name)
        if as_json:
            print_json({"ok": True, "name": name, "account": account})
        else:
            say("Key [bold]{}[/bold] is account {}.", name, account)

    guarded(as_json, make)


@app.command("list")
def listed(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the keys there are, without opening them.

    Example: [bold]caimi keys list[/bold]
    """
    from caimi.client.keyring import Keyring
    from caimi.config import load_config

    def show() -> None:
        keyring = Keyring(load_config(config))
        keys = [(name, keyring.account(name)) for name in keyring.names()]
        if as_json:
            print_json({"ok": True, "keys": [{"name": name, "account": acc} for name, acc in keys]})
        else:
            table("Keys", ("name", "account"), keys)

    guarded(as_json, show)
