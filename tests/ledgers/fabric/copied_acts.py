"""What a machine's copy of a channel holds, counted beside it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from caimi.ledgers.port import Signer


def count_acts(copy: Path, who: Signer) -> int:
    """Tell how many acts of somebody are in a copy's blocks."""
    asked = "SELECT count(*) FROM acts WHERE author = ?"
    with closing(sqlite3.connect(copy)) as db:
        (found,) = db.execute(asked, (who.account,)).fetchone()
    return int(found)
