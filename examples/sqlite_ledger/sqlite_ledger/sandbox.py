"""Ledgers for trying things out: in files that go with the program that made them, or that stay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from caimi.ledgers.machine.administration import MachineAdministered
from caimi.ledgers.machine.ed25519_keys import Ed25519Key
from caimi.ledgers.machine.ledger import MachineLedger
from caimi.ledgers.port import LedgerId, Signer
from sqlite_ledger.lasting import SqliteService
from sqlite_ledger.machine import SqliteMachine


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
