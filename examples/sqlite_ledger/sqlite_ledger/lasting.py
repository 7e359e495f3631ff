"""A ledger that stays, and its clock: a program that makes a block when there was none of late.

Whoever writes to the file makes a block; without a block now and then, no time would pass for those
who wait for a packet's time to run out. Nothing is lost when the program is killed.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from caimi.errors.base import CaimiError
from caimi.errors.ledgers import LedgerUnavailable
from caimi.ledgers.port import LedgerId, LedgerPlace
from sqlite_ledger.machine import SqliteMachine

FILE: Final = "ledger.sqlite"
BLOCK_SECONDS: Final = 5
_LOOK_SECONDS: Final = 0.5
_START_SECONDS: Final = 20.0
_WAIT_SECONDS: Final = 0.05


class SqliteService:
    """A ledger in a file of `folder`, and the program of its clock (port `LedgerService`)."""

    url: str | None = None

    def __init__(self, name: str, ledger: LedgerId, folder: Path) -> None:
        self.name = name
        self._folder = folder.absolute()
        file = str(self._folder / FILE)
        self.place = LedgerPlace(ledger, name, {"file": file}, family="sqlite")
        self.said = f"a SQLite file, {ledger}"

    @property
    def command(self) -> list[str]:
        """The program that lets time pass there."""
        return ticking_command(self.place.id, self._folder)

    async def wait_ready(self) -> None:
        """Wait until there is a place for the file.

        Raises:
            LedgerUnavailable: there is none within 20 s.
        """
        for _ in range(round(_START_SECONDS / _WAIT_SECONDS)):
            if self._folder.is_dir():
                return
            await asyncio.sleep(_WAIT_SECONDS)
        raise LedgerUnavailable(f"Nobody has made {self._folder} for {self.place.id}.")

    async def fund(self, accounts: Sequence[bytes]) -> None:
        """Do nothing: whatever is called here costs nothing."""

    def outgrown(self) -> str | None:
        """Say nothing: a file may be of any size."""
        return None


def ticking_command(ledger: LedgerId, folder: Path) -> list[str]:
    """Give the command line that keeps a ledger's clock until SIGTERM; its file is in `folder`."""
    return [
        sys.executable,
        "-m",
        "sqlite_ledger.lasting",
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
