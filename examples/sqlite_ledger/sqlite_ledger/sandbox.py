"""Ledgers for trying things out, each in a file that goes with the program that made it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from caimi.ledgers.machine.joining import add_client
from caimi.ledgers.machine.ledger import MachineLedger
from caimi.ledgers.port import Committee, Ledger, LedgerId, Signer
from sqlite_ledger.accounts import SqliteKey
from sqlite_ledger.machine import SqliteMachine


@dataclass(frozen=True)
class SqliteSandbox:
    """A ledger that `admin` administers (port `Sandbox`); people have keys of their own here."""

    machine: SqliteMachine
    ledger: MachineLedger
    admin: SqliteKey
    keys: Mapping[bytes, SqliteKey]
    clients: count[int] = field(default_factory=count)

    def key_of(self, person: Signer) -> SqliteKey:
        """Give a person's key here."""
        return self.keys[person.account]

    async def pass_time(self, seconds: int) -> None:
        """Move the ledger's clock."""
        self.machine.advance(seconds)

    async def add_client(self, of: Ledger, committee: Committee) -> str:
        """Add a route to another ledger; gives its client's id."""
        name = f"client-{next(self.clients)}".encode()
        return await add_client(self.ledger, name, of, committee, self.admin)

    async def join(self, client_id: str, counterparty: str) -> None:
        """Tell a route which client the other ledger has of this one."""
        call = self.ledger.gateway.set_counterparty(client_id, counterparty)
        await self.ledger.submit(call, self.admin)


class SqliteSandboxes:
    """A kind of them (port `SandboxKind`)."""

    async def start(
        self, stack: AsyncExitStack, place: int, people: Sequence[Signer]
    ) -> SqliteSandbox:
        """Make a ledger in a new file."""
        file = Path(stack.enter_context(TemporaryDirectory())) / "ledger.sqlite"
        admin, ledger = SqliteKey(), LedgerId(f"local:sqlite{place}")
        machine = SqliteMachine.found(ledger, file, admin.account, admin.account)
        stack.push_async_callback(machine.aclose)
        keys = {person.account: SqliteKey() for person in people}
        return SqliteSandbox(machine, MachineLedger(machine), admin, keys)


SQLITE: Final = SqliteSandboxes()
