"""A ledger's clock, as a program: an empty block whenever there was none for some seconds.

Whoever writes to the file makes a block; without a block now and then, no time would pass for those
who wait for a packet's time to run out. Nothing is lost when the program is killed.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from caimi.errors.base import CaimiError
from caimi.errors.ledgers import LedgerUnavailable
from caimi.ledgers.port import LedgerId
from sqlite_ledger.machine import SqliteMachine

FILE: Final = "ledger.sqlite"
BLOCK_SECONDS: Final = 5
_LOOK_SECONDS: Final = 0.5


def ticking_command(ledger: LedgerId, folder: Path) -> list[str]:
    """Give the command line that keeps a ledger's clock until SIGTERM; its file is in `folder`."""
    return [
        sys.executable,
        "-m",
        "sqlite_ledger.ticking",
        f"--ledger={ledger}",
        f"--folder={folder}",
    ]


def tick(machine: SqliteMachine) -> bool:
    """Make an empty block if the last is old; tells whether it did. There may be no ledger yet."""
    with suppress(LedgerUnavailable, sqlite3.OperationalError):
        if machine.clock - machine.head.time >= BLOCK_SECONDS:
            machine.advance()
            return True
    return False


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as a program: ``--ledger``, ``--folder``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ledger", required=True)
    parser.add_argument("--folder", type=Path, required=True)
    told = parser.parse_args(arguments)
    try:
        told.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        machine = SqliteMachine(LedgerId(told.ledger), told.folder / FILE)
        while True:
            tick(machine)
            time.sleep(_LOOK_SECONDS)
    except (CaimiError, OSError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
