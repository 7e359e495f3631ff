"""The commands about models, one a module."""

from __future__ import annotations

import typer

from caimi.cli.models import (
    alias,
    buy,
    deprecate,
    history,
    licences,
    price,
    publish,
    pull,
    run,
    search,
    show,
    transfer,
    verify,
)


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the application, in the order in which its help lists them."""
    for command in (
        publish.publish,
        search.search,
        show.show,
        buy.buy,
        licences.licences,
        transfer.transfer,
        pull.pull,
        run.run,
        verify.verify,
        history.history,
        deprecate.deprecate,
    ):
        app.command()(command)
    app.command("alias")(alias.set_alias)
    app.add_typer(price.app, name="price")


__all__ = ["add_commands"]
