"""Commands that are imported when they are called: help and completion need their names alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand
from typer.main import get_group

from caimi.cli.profile_option import add_profile_option
from caimi.cli.table import Entry
from caimi.cli.wording import literal, worded


class LazyCommands(Mapping[str, Any]):
    """Commands by name. Typer's own are of a click that it carries and does not export."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._entries = {entry.name: entry for entry in entries}
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - see above
        if name not in self._made:
            self._made[name] = _command(self._entries[name])
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def outlines(self) -> dict[str, Any]:
        """Give commands with names and help, and nothing that could run."""
        return {
            entry.name: TyperCommand(
                entry.name, help=literal(entry.says), rich_help_panel=entry.heading
            )
            for entry in self._entries.values()
        }


def _command(entry: Entry) -> Any:  # noqa: ANN401 - see above
    module, _, name = entry.place.partition(":")
    found = getattr(import_module(module), name)
    holder = typer.Typer(add_completion=False, rich_markup_mode="rich")
    if isinstance(found, typer.Typer):
        holder.add_typer(found, name=entry.name)
    else:
        holder.command(entry.name)(found)
    command = get_group(holder).commands[entry.name]
    add_profile_option(command)
    return worded(command)
