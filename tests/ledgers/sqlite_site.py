"""Where to test a ledger in a SQLite file (the suite's port `Site`)."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path

from machine_site import MachineSite

from caimi.ledgers.machine.ed25519_keys import Ed25519Key
from caimi.ledgers.machine.ledger import MachineLedger
from caimi.ledgers.machine.machine import LAPSES_AFTER
from caimi.ledgers.port import LedgerId, Signer
from memory_ledger.failing import Failing
from sqlite_ledger.machine import SqliteMachine


@dataclass
class SqliteSite(MachineSite):
    """One file; every connection opens it anew. Blocks are as deep as the site was asked last."""

    file: Path
    id: LedgerId
    admin: Ed25519Key = field(default_factory=Ed25519Key)
    depth: int = 0
    has_coin = False
    keeps_past = True
    fork = None

    @classmethod
    def named(cls, name: str, folder: Path) -> SqliteSite:
        site = cls(folder / f"{name}.sqlite", LedgerId(f"local:{name}"))
        site.machine().found(site.admin.account, site.admin.account)
        return site

    @property
    def guardian(self) -> Ed25519Key:
        return self.admin

    def machine(self) -> SqliteMachine:
        return SqliteMachine(self.id, self.file, self.depth)

    def open(self, patience: float = 20.0) -> MachineLedger:
        machine = self.machine()
        machine.busy = min(machine.busy, patience)
        return MachineLedger(machine, patience=patience)

    def failing(self, failure: Exception) -> MachineLedger:
        return MachineLedger(Failing(self.machine(), failure))

    def deep(self, blocks: int) -> MachineLedger:
        self.depth = blocks
        return self.open()

    @asynccontextmanager
    async def halted(self) -> AsyncIterator[None]:
        """Be another program that writes to the file."""
        with closing(sqlite3.connect(self.file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")

    async def wallet(self, name: str) -> Ed25519Key:
        return Ed25519Key()

    async def advance(self, seconds: int = 0, blocks: int = 1) -> None:
        self.machine().advance(seconds, blocks)

    async def outdate(self, who: Signer) -> None:
        """Let what was signed lapse."""
        await self.advance(blocks=LAPSES_AFTER + self.depth)

    async def sent(self, who: Signer) -> int:
        asked = "SELECT count(*) FROM acts WHERE author = ?"
        with sqlite3.connect(self.file) as db:
            (found,) = db.execute(asked, (who.account,)).fetchone()
        return found
