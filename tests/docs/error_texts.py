"""Every text that an error can carry: the classes' defaults, and what is said where one is raised.

A value that is filled in where it is raised appears as one `HOLE`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from caimi.errors.catalogue import entries, error_classes

HOLE = "\N{REPLACEMENT CHARACTER}"
SOURCES = Path(__file__).resolve().parents[2] / "src" / "caimi"


@dataclass(frozen=True, slots=True)
class ErrorText:
    """One text: `part` is what, why or next."""

    where: str
    error: str
    part: str
    text: str


def error_texts() -> list[ErrorText]:
    """Give the texts of the catalogue and of every place in the source that raises an error."""
    found = []
    for entry in entries():
        found.append(ErrorText(entry.code, entry.name, "why", entry.why))
        found.append(ErrorText(entry.code, entry.name, "next", entry.next_step))
    names = {error.__name__ for error in error_classes()}
    for file in sorted(SOURCES.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and _name(node.func) in names:
                found += _said(node, f"{file.relative_to(SOURCES)}:{node.lineno}")
    return found


def _said(call: ast.Call, where: str) -> Iterator[ErrorText]:
    parts = [("what", call.args[0])] if call.args else []
    parts += [(word.arg or "", word.value) for word in call.keywords]
    for word, value in parts:
        part = "next" if word == "next_step" else word
        text = _text(value)
        if part in ("what", "why", "next") and text is not None:
            yield ErrorText(where, _name(call.func), part, text)


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")


def _text(node: ast.expr) -> str | None:
    """Give a literal's text with holes, None where it is no literal."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(_text(part) or HOLE for part in parts)
        case ast.FormattedValue():
            return HOLE
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            first, second = _text(left), _text(right)
            return None if first is None and second is None else f"{first or HOLE}{second or HOLE}"
    return None
