"""Where the contracts refuse: every call of `require` and `refuse`, with its reason."""

from __future__ import annotations

import ast
from pathlib import Path

import caimi.contracts

FOLDER = Path(caimi.contracts.__path__[0])
Site = tuple[str, int]


def sites() -> dict[Site, str]:
    """Give each place (file name, line) that can refuse, and its reason."""
    found = {}
    for path in sorted(FOLDER.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            place = {"require": 1, "refuse": 0}.get(node.func.id)
            if place is None or (path.name == "execution.py" and node.func.id == "refuse"):
                continue
            reason = node.args[place]
            found[path.name, node.lineno] = (
                reason.value if isinstance(reason, ast.Constant) else ast.unparse(reason)
            )
    return found
