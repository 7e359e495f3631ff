"""`caimi init`: a configuration to begin with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from caimi.cli.options import JsonOption, guarded
from caimi.cli.output import print_json, say
from caimi.errors.operations import ConfigExists


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
