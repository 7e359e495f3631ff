"""A page's console blocks as one shell script, so that a test types what a reader types."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

_BLOCK = re.compile(r"^```console(?: title=\"([^\"\n]*)\")?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"^\$ (.*(?:\n(?!\$ ).*)*)", re.MULTILINE)
_PRINTED = re.compile(r"^(\w+)=(caimi:|0x)\S*…")
_COPIED = {"caimi:": "caimi:[a-z0-9]+:[0-9a-f]+:0x[0-9a-f]+", "0x": "0x[0-9a-f]{64}$"}


def commands_of(page: Path) -> list[str]:
    """Give the page's commands in order, each with the lines that belong to it."""
    return [command for _, commands in blocks_of(page) for command in commands]


def blocks_of(page: Path) -> list[tuple[str, list[str]]]:
    """Give the page's console blocks in order, each with its title, which may be empty."""
    return [
        (title, [command.rstrip("\n") for command in _COMMAND.findall(block)])
        for title, block in _BLOCK.findall(page.read_text("utf-8"))
    ]


def script_of(commands: list[str]) -> str:
    """Give a script that stops at the first command that fails.

    Where the page has ``NAME=caimi:…`` the reader copies the URI that was printed last, where it
    has ``NAME=0x…`` the transaction.
    """
    lines = ["set -eo pipefail", 'printed="$PWD/printed"']
    for command in commands:
        copied = _PRINTED.match(command)
        if copied:
            lines.append(f"{copied[1]}=$(grep -oE '{_COPIED[copied[2]]}' \"$printed\" | tail -1)")
        else:
            first = command.splitlines()[0]
            lines += [
                f"echo {_quoted(f'$ {first}')}",
                "{",
                command,
                '} > "$printed"',
                'cat "$printed"',
            ]
    return "\n".join(lines) + "\n"


def play(script: str, folder: Path, seconds: float) -> subprocess.CompletedProcess[str]:
    """Run a script in a folder, its programs taken from this environment."""
    programs = folder / "bin"
    programs.mkdir()
    for name, words in {
        "caimi": "-m caimi.cli",
        "model_signing": "-m model_signing",
        "python": "",
    }.items():
        file = programs / name
        file.write_text(f'#!/bin/sh\nexec "{sys.executable}" {words} "$@"\n')
        file.chmod(0o700)
    return subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=os.environ | {"PATH": f"{programs}:{os.environ['PATH']}", "COLUMNS": "240"},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
