"""`caimi init`: a configuration to begin with, for the ledgers that are chosen."""

from __future__ import annotations

import asyncio
import os
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from caimi.cli.options import JsonOption, guarded
from caimi.cli.output import out, print_json, say
from caimi.errors.operations import ConfigExists

if TYPE_CHECKING:
    from caimi.composition.beginning import Beginning


def init(
    directory: Annotated[Path, typer.Argument(help="Where to write caimi.toml.")] = Path(),
    ledgers: Annotated[
        str | None,
        typer.Option(
            help="Joined by commas: a node's URL, ID@URL, another caimi.toml, or what `caimi "
            "deploy --json` printed; NAME= before it says what to call it."
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Write it though one is there, which is kept beside it.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a caimi.toml: for chosen ledgers, or one with everything in comments.

    Nodes are asked which ledger they serve. What is still missing is named.

    Example: [bold]caimi init --ledgers mainnet=https://rpc.example.org[/bold]
    """
    from caimi.config import CONFIG_NAME, EXAMPLE

    def write() -> None:
        file = directory / CONFIG_NAME
        _refuse_another(file, force=force)
        if ledgers is None:
            beginning, text = None, EXAMPLE
        else:
            from caimi.composition.beginning import begin

            beginning = asyncio.run(begin(ledgers))
            text = beginning.text()
        directory.mkdir(parents=True, exist_ok=True)
        kept = _write(file, text, force=force)
        steps = _steps(directory, beginning)
        if as_json:
            listed = [] if beginning is None else beginning.ledgers
            print_json(
                {
                    "ok": True,
                    "config": file,
                    "kept": kept,
                    "ledgers": [{"id": each.id, "name": each.name} for each in listed],
                    "missing": [] if beginning is None else beginning.places,
                    "next": steps,
                }
            )
            return
        say("Wrote {}.", file)
        if kept is not None:
            say("The earlier one is {} now.", kept)
        if beginning is not None:
            _show(beginning)
        for at, step in enumerate(steps):
            out.print("Next: " if not at else "      ", end="")
            say("[bold]{}[/bold]", step)

    guarded(as_json, write)


def _show(beginning: Beginning) -> None:
    for each in beginning.ledgers:
        where = "CAIMI is not on it yet" if each.name in beginning.places else "CAIMI is on it"
        say("  {} ({}): {}", each.name, each.id, where)
    if beginning.committee is None:
        say("  no committee yet, to which models are sealed: [bold]caimi committee create[/bold]")


def _refuse_another(file: Path, *, force: bool) -> None:
    if force or not file.exists():
        return
    if (file.parent / ".caimi").is_dir():
        raise ConfigExists(
            f"{file} is there already: it is a local network's.",
            next_step="Use it as it is: `caimi devnet up` starts the network, `caimi doctor` "
            "checks it. Choose another directory for other ledgers.",
        )
    raise ConfigExists(f"{file} is already there.")


def _write(file: Path, text: str, *, force: bool) -> Path | None:
    """Write the file, whole or not at all; gives where an earlier one is kept."""
    from caimi.whole_files import write_once, write_whole

    mask = os.umask(0)
    os.umask(mask)
    data, mode = text.encode(), 0o666 & ~mask
    if force and file.exists():
        names = (file.with_name(f"{file.name}.{number}") for number in count(1))
        kept = next(each for each in names if not os.path.lexists(each))
        os.link(file, kept)  # whatever kills this process, there is one at its place
        try:
            write_whole(file, data, mode)
        except OSError:
            kept.unlink()  # it is where it was
            raise
        return kept
    try:
        write_once(file, data, mode)
    except FileExistsError:
        raise ConfigExists(f"{file} is already there.") from None
    return None


def _steps(directory: Path, beginning: Beginning | None) -> list[str]:
    """Tell what to type next."""
    goes = [] if directory == Path() else [f"cd {directory}"]
    if beginning is None:
        return [*goes, "caimi keys new alice"]
    deploying = [f"caimi deploy {name} -k alice" for name in beginning.places]
    return [*goes, "caimi keys new alice", *deploying, "caimi doctor -k alice"]
