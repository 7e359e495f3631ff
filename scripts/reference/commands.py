"""The page of commands: what each says of itself with ``--help``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import typer
import typer.main

from caimi.cli.app import app

HEAD = """\
# Commands

Every command of `caimi`, as `--help` tells of it. `make reference` writes this page: change the
command's own words.

`--json` prints one JSON document on standard output, errors too:
`{"ok": false, "error": {"code", "error", "what", "why", "next"}}`. The exit status is 0 when all
went well, 1 when something did not, and 2 when the command line itself was wrong.
[Errors](../errors.md) lists the codes.
"""


def commands_page() -> str:
    """Give the whole page."""
    parts = [HEAD]
    for path, command in _tree(typer.main.get_command(app), "caimi"):
        parts.append("\n".join(_section(path, command)))
    return "\n".join(parts)


def _tree(node: Any, path: str) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - typer's own click
    for name in getattr(node, "commands", {}):
        child = node.commands[name]
        yield f"{path} {name}", child
        yield from _tree(child, f"{path} {name}")


def _section(path: str, command: Any) -> Iterator[str]:  # noqa: ANN401 - as above
    group = hasattr(command, "commands")
    yield f"{'##' if path.count(' ') == 1 else '###'} {path}\n"
    paragraphs = re.split(r"\n\s*\n", command.help or "")
    for paragraph in paragraphs:
        words = " ".join(paragraph.split())
        example = re.fullmatch(r"Examples?: (\[bold\].+)", words)
        if example:
            lines = re.findall(r"\[bold\](.+?)\[/bold\]", example[1])
            yield "\n".join(["```console", *(f"$ {_unescaped(line)}" for line in lines), "```\n"])
        else:
            yield f"{_prose(words)}\n"
    if group:
        return
    context = typer.Context(command, info_name=path)
    yield f"```text\n{command.get_usage(context)}\n```\n"
    rows = [
        parameter.get_help_record(context)
        for parameter in command.get_params(context)
        if not getattr(parameter, "hidden", False) and "--help" not in parameter.opts
    ]
    for name, text in filter(None, rows):
        yield f"- `{name}`: {_prose(text)}" if text else f"- `{name}`"
    yield ""


def _unescaped(text: str) -> str:
    return text.replace("\\[", "[")


def _prose(text: str) -> str:
    """Give help as Markdown shows it word for word, code spans kept."""
    plain = re.sub(r"\[/?bold\]", "", _unescaped(" ".join(text.split())))
    parts = re.split(r"(`[^`]*`)", plain)
    return "".join(part if part.startswith("`") else _literal(part) for part in parts)


def _literal(text: str) -> str:
    text = re.sub(r"([\\*\[\]]|\b_|_\b)", r"\\\1", text)
    return text.replace("&", "&amp;").replace("<", "&lt;")
