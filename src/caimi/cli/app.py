"""The command line: `caimi`. Its commands are in `caimi.cli.table`, a line each."""

from __future__ import annotations

from typing import Annotated

import typer

from caimi.cli.output import out
from caimi.cli.root import Root

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
        from caimi import __version__

        out.print(f"caimi {__version__}", highlight=False)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show version.")
    ] = False,
) -> None:
    """Publish an AI model once, use it from any chain."""


def main() -> None:
    """Run the command line."""
    app()


__all__ = ["app", "main"]
