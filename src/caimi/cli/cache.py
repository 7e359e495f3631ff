"""`caimi cache`: what is kept to be quick, and removing it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from caimi.cli.durations import seconds_of, span_of
from caimi.cli.options import ConfigOption, JsonOption, guarded
from caimi.cli.output import print_json, say, table
from caimi.errors.operations import UsageError

if TYPE_CHECKING:
    from caimi.config import Config

app = typer.Typer(
    help="What is kept to be quick and can be made again: list it, remove it.",
    no_args_is_help=True,
)


@app.command("list")
def listed(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List what is kept, its size and age, and whether a process uses it now.

    Example: [bold]caimi cache list[/bold]
    """
    from caimi.client.cache import cached

    def show() -> None:
        found = cached(_configuration(config))
        if as_json:
            print_json({"ok": True, "cached": found, "bytes": sum(each.size for each in found)})
            return
        rows = [
            (
                _size(each.size),
                span_of(each.seconds),
                "in use" if each.in_use else "free",
                each.what,
                each.path,
            )
            for each in found
        ]
        table("Cache", ("size", "age", "use", "what", "where"), rows)

    guarded(as_json, show)


@app.command()
def clean(
    everything: Annotated[bool, typer.Option("--all", help="Whatever its age.")] = False,
    older_than: Annotated[
        str | None, typer.Option(help="Only what was not written for so long: 12h, 30d.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove what can be made again. What a process uses stays, and what was just written.

    Models that were pulled for `caimi run` go too; running them again unlocks them again.

    Example: [bold]caimi cache clean --older-than 30d[/bold]
    """
    from caimi.client.cache import clean as remove

    def work() -> None:
        if everything is (older_than is not None):
            raise UsageError("Give one of --all and --older-than.")
        age = 0 if older_than is None else seconds_of(older_than)
        removed, kept = remove(_configuration(config), age)
        freed = sum(each.size for each in removed)
        if as_json:
            print_json({"ok": True, "removed": removed, "in_use": kept, "bytes": freed})
            return
        say("Removed {} of {}.", _size(freed), _things(len(removed)))
        if kept:
            say("In use or just written, and kept: {}.", _things(len(kept)))

    guarded(as_json, work)


def _configuration(path: Path | None) -> Config | None:
    """Read the configuration, where there is one: what was pulled is beside it."""
    from caimi.config import load_config
    from caimi.errors.operations import ConfigMissing

    try:
        return load_config(path)
    except ConfigMissing:
        if path is not None:
            raise
        return None


def _size(size: int) -> str:
    value = float(size)
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{size} bytes" if unit == "bytes" else f"{value:,.1f} {unit}"


def _things(number: int) -> str:
    return "1 thing" if number == 1 else f"{number} things"
