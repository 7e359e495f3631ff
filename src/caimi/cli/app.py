"""The command line: `caimi`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from caimi import __version__
from caimi.cli import (
    committee,
    compiling,
    demo,
    devnet,
    estimate,
    fees,
    governance,
    keys,
    models,
    money,
    packet,
    services,
)
from caimi.cli.options import JsonOption, guarded
from caimi.cli.output import out, print_json, say
from caimi.cli.root import Root
from caimi.errors.operations import ConfigExists

app = typer.Typer(
    name="caimi",
    help="Publish an AI model once, use it from any chain.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    rich_markup_mode="rich",
    cls=Root,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        out.print(f"caimi {__version__}", highlight=False)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show version.")
    ] = False,
) -> None:
    """Publish an AI model once, use it from any chain."""


@app.command()
def init(
    directory: Annotated[Path, typer.Argument(help="Where to write caimi.toml.")] = Path(),
    as_json: JsonOption = False,
) -> None:
    """Write a commented caimi.toml.

    Example: [bold]caimi init my-project[/bold]
    """
    from caimi.config import CONFIG_NAME, EXAMPLE

    def write() -> None:
        directory.mkdir(parents=True, exist_ok=True)
        file = directory / CONFIG_NAME
        try:
            with file.open("x", encoding="utf-8") as handle:
                try:
                    handle.write(EXAMPLE)
                    handle.flush()
                except OSError:
                    file.unlink()  # half a file would be in the way of the next try
                    raise
        except FileExistsError:
            raise ConfigExists(f"{file} is already there.") from None
        if as_json:
            print_json({"ok": True, "config": file})
        else:
            say("Wrote {}. Next: [bold]caimi keys new alice[/bold]", file)

    guarded(as_json, write)


app.add_typer(keys.app, name="keys")
app.add_typer(devnet.app, name="devnet")
app.add_typer(services.app, name="service")
app.add_typer(fees.app, name="fees")
app.add_typer(packet.app, name="packet")
app.add_typer(governance.app, name="governance")
app.add_typer(committee.app, name="committee")
models.add_commands(app)
money.add_commands(app)
compiling.add_commands(app)
estimate.add_commands(app)
demo.add_command(app)


def main() -> None:
    """Run the command line."""
    app()


__all__ = ["app", "main"]
