"""Write the pages that are made from the program: commands and settings.

``python scripts/reference`` writes them; with ``--check`` it only says whether they are as they
should be, and exits 1 when one is not.
"""

from __future__ import annotations

import sys
from pathlib import Path

from commands import commands_page
from settings import settings_page

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference"


def main(arguments: list[str]) -> int:
    """Write or check every page."""
    pages = {"cli.md": commands_page(), "configuration.md": settings_page()}
    stale = [
        name
        for name, text in pages.items()
        if not (FOLDER / name).is_file() or (FOLDER / name).read_text("utf-8") != text
    ]
    if "--check" in arguments:
        for name in stale:
            sys.stderr.write(f"docs/reference/{name} is not what the program says.\n")
        return 1 if stale else 0
    for name in stale:
        (FOLDER / name).write_text(pages[name], "utf-8")
        sys.stderr.write(f"Wrote docs/reference/{name}.\n")
    return 0


sys.exit(main(sys.argv[1:]))
