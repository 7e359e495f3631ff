"""How a notebook shows a result: names and values, or a table, and nothing that a value could do.

Whatever is in a value was written by somebody else. It appears as text: no tag, no attribute and no
link is made of it, and nothing in it turns the direction of what is read.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from typing import Final

MAX_ROWS: Final = 100
_UNSHOWN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\N{LEFT-TO-RIGHT MARK}\N{RIGHT-TO-LEFT MARK}"
    "\N{LEFT-TO-RIGHT EMBEDDING}-\N{RIGHT-TO-LEFT OVERRIDE}"
    "\N{LEFT-TO-RIGHT ISOLATE}-\N{POP DIRECTIONAL ISOLATE}]"
)
_LEFT: Final = ' style="text-align: left; vertical-align: top; white-space: pre-wrap"'


def shown(value: object) -> str:
    """Give a value as text of an HTML page, fit for between two tags."""
    return html.escape(_UNSHOWN.sub("\N{REPLACEMENT CHARACTER}", str(value)), quote=True)


def facts(title: object, pairs: Mapping[str, object]) -> str:
    """Give names and values under a title, a row each; what is empty is left out."""
    rows = [
        f"<tr><th{_LEFT}>{shown(name)}</th><td{_LEFT}>{shown(value)}</td></tr>"
        for name, value in pairs.items()
        if str(value)
    ]
    return _table(title, rows)


def table(title: object, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Give a table under a title, with at most `MAX_ROWS` rows and how many more there are."""
    head = "".join(f"<th{_LEFT}>{shown(column)}</th>" for column in columns)
    drawn = [
        f"<tr>{''.join(f'<td{_LEFT}>{shown(value)}</td>' for value in row)}</tr>"
        for row in rows[:MAX_ROWS]
    ]
    left = len(rows) - MAX_ROWS
    if left > 0:
        drawn.append(f'<tr><td colspan="{len(columns)}">and {left} more</td></tr>')
    return _table(title, [f"<tr>{head}</tr>", *drawn])


def _table(title: object, rows: Sequence[str]) -> str:
    caption = f'<caption style="text-align: left"><b>{shown(title)}</b></caption>'
    return f"<table>{caption}{''.join(rows)}</table>"
