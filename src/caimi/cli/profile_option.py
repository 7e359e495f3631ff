"""``--profile``: of every command that has ``--config``, and never passed to any of them."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.main import get_command

from caimi.cli import completing


def add_profile_option(command: Any) -> None:  # noqa: ANN401 - typer carries its own click
    """Give it to a command, and to all below it, beside --config."""
    for child in getattr(command, "commands", {}).values():
        add_profile_option(child)
    places = [n for n, each in enumerate(command.params) if each.name == "config"]
    for place in places:
        holder = typer.Typer(add_completion=False)
        holder.command()(_carrier)
        command.params.insert(place + 1, get_command(holder).params[0])


def _choose(name: str | None) -> None:
    from caimi.profiles import choose_profile

    choose_profile(name)  # also where there is none: another command of this process had one


def _carrier(
    profile: Annotated[
        str | None,
        typer.Option(
            "--profile",
            help="Which of your networks; default $CAIMI_PROFILE or none.",
            callback=_choose,
            expose_value=False,
            is_eager=True,
            autocompletion=completing.profiles,
        ),
    ] = None,
) -> None:
    """Carry the option until it is another command's."""
