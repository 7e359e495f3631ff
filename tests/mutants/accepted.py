"""The survivors that are accepted, with the reason: a table of docs/faults.md."""

from __future__ import annotations

import re
from pathlib import Path

_ROW = re.compile(r"^\| `([0-9a-f]{12})` \| (.+?) \| (.+?) \|$", re.MULTILINE)


def accepted(page: Path) -> dict[str, str]:
    """Give the reason for each mutant that the page lists."""
    return {row[1]: row[3] for row in _ROW.finditer(page.read_text("utf-8"))}
