"""Ledgers for trying things out: in files that go with the program that made them, or that stay."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from caimi.errors.ledgers import LedgerUnavailable
from caimi.ledgers.machine.administration import MachineAdministered
from caimi.ledgers.machine.ed25519_keys import Ed25519Key
from caimi.ledgers.machine.ledger import MachineLedger
from caimi.ledgers.port import LedgerId, LedgerPlace, Signer
from sqlite_ledger.machine import SqliteMachine
from sqlite_ledger.ticking import FILE, ticking_command

_START_SECONDS: Final = 20.0
_LOOK_SECONDS: Final = 0.05


@dataclass(frozen=True)
class SqliteSandbox(MachineAdministered):
    """A ledger that `admin` administers (port `Sandbox`); people have keys of their own here."""

    machine: SqliteMachine
    keys: Mapping[bytes, Ed25519Key]

    def key_of(self, person: Signer) -> Ed25519Key:
        """Give a person's key here."""
        return self.keys[person.account]

    async def pass_time(self, seconds: int) -> None:
        """Move the ledger's clock."""
        self.machine.advance(seconds)


class SqliteService:
    """A ledger in a file of `folder`, and the program of its clock (port `LedgerService`)."""

    url: str | None = None

    def __init__(self, name: str, ledger: LedgerId, folder: Path) -> None:
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
        for _ in range(round(_START_SECONDS / _LOOK_SECONDS)):
            if self._folder.is_dir():
                return
            await asyncio.sleep(_LOOK_SECONDS)
        raise LedgerUnavailable(f"Nobody has made {self._folder} for {self.place.id}.")

    async def fund(self, accounts: Sequence[bytes]) -> None:
        """Do nothing: whatever is called here costs nothing."""

    def outgrown(self) -> str | None:
        """Say nothing: a file may be of any size."""
        return None


class SqliteSandboxes:
    """A kind of them (ports `SandboxKind` and `LastingKind`)."""

    def check(self) -> None:
        """Find nothing missing: Python brings SQLite."""

    def service(self, place: int, name: str, *, port: int, folder: Path) -> SqliteService:
        """Make ready to keep one in a folder; nobody listens on the port."""
        return SqliteService(name, LedgerId(f"local:sqlite{place}"), folder)

    async def start(
        self, stack: AsyncExitStack, place: int, people: Sequence[Signer]
    ) -> SqliteSandbox:
        """Make a ledger in a new file."""
        file = Path(stack.enter_context(TemporaryDirectory())) / "ledger.sqlite"
        admin, machine = Ed25519Key(), SqliteMachine(LedgerId(f"local:sqlite{place}"), file)
        machine.found(admin.account, admin.account)
        stack.push_async_callback(machine.aclose)
        keys = {person.account: Ed25519Key() for person in people}
        return SqliteSandbox(MachineLedger(machine), admin, machine, keys)


SQLITE: Final = SqliteSandboxes()
