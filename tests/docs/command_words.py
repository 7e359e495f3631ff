"""What in a command line the program would not know."""

from __future__ import annotations

import shlex
from typing import Any

import typer.main

from caimi.cli.app import app


def problem_of(command: str) -> str:
    """Say what in this command line the program would not know, or nothing."""
    node = typer.main.get_command(app)
    options = options_of(node)
    words = iter(shlex.split(command, comments=True)[1:])
    for word in words:
        if word.startswith("-"):
            name, _, value = word.partition("=")
            if name not in options:
                return f"no option {name}"
            if not value and not options[name]:
                next(words, None)
        elif hasattr(node, "commands"):
            names = word.split("|")  # up|status|down
            unknown = [name for name in names if name not in node.commands]
            if unknown:
                return f"no command {unknown[0]}"
            node = node.commands[names[0]]
            options |= options_of(node)
    return ""


def options_of(node: Any) -> dict[str, bool]:
    """Give the command's options, and whether each stands alone, without a value."""
    own = {
        name: getattr(param, "is_flag", False)
        for param in node.params
        for name in [*param.opts, *param.secondary_opts]
        if name.startswith("-")
    }
    return {"--help": True} | own


def all_options() -> set[str]:
    """Give the options of all commands."""
    found: set[str] = set()
    pending = [typer.main.get_command(app)]
    while pending:
        node = pending.pop()
        found |= set(options_of(node))
        pending += getattr(node, "commands", {}).values()
    return found
