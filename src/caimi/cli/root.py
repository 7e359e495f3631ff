"""The command `caimi` itself: help without lost words, and no error without a name."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import Any, Final

from rich.markup import escape
from typer.core import TyperGroup

from caimi.cli.output import print_error
from caimi.errors.base import CaimiError
from caimi.errors.machine import SystemRefused

_KEPT: Final = re.compile(r"\\(\[/?bold\])")


class Root(TyperGroup):
    """The whole tree of commands: built once, when all of them are in it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - typer's own
        super().__init__(*args, **kwargs)
        for command in _tree(self):
            command.help = literal(command.help)
            for parameter in command.params:
                if getattr(parameter, "help", None):
                    parameter.help = literal(parameter.help)

    def main(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - typer's own
        """Run the command line; what the system refuses outside of a command's work is named."""
        given = kwargs.get("args") or (args[0] if args else None) or sys.argv[1:]
        try:
            return super().main(*args, **kwargs)
        except CaimiError as error:
            print_error(error, as_json="--json" in given)
        except OSError as error:
            if error.errno is None:
                raise
            print_error(SystemRefused.of(error), as_json="--json" in given)
        sys.exit(1)


def literal(text: str | None) -> str | None:
    """Give help as rich shows it word for word: only ``[bold]`` is markup, no other bracket is."""
    return None if text is None else _KEPT.sub(r"\1", escape(text))


def _tree(command: Any) -> Iterator[Any]:  # noqa: ANN401 - typer carries its own click
    yield command
    for child in getattr(command, "commands", {}).values():
        yield from _tree(child)
