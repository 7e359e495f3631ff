"""Where to test a ledger in memory (the suite's port `Site`)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from caimi.ledgers.machine.administration import MachineAdministered
from caimi.ledgers.machine.ledger import MachineLedger
from caimi.ledgers.machine.machine import LAPSES_AFTER
from caimi.ledgers.port import Account, Committee, Ledger, Signer
from memory_ledger.chain import MemoryChain
from memory_ledger.failing import Failing
from memory_ledger.words import Wallet


@dataclass
class MemorySite:
    """One chain; `admin` administers it."""

    chain: MemoryChain
    has_coin = False

    @property
    def keeps_past(self) -> bool:
        return self.chain.keeps_past

    @property
    def guardian(self) -> Wallet:
        return self.chain.guardian

    @classmethod
    def named(cls, name: str) -> MemorySite:
        return cls(MemoryChain(name))

    def open(self, patience: float = 20.0) -> MachineLedger:
        return MachineLedger(self.chain, patience=patience)

    def failing(self, failure: Exception) -> MachineLedger:
        return MachineLedger(Failing(self.chain, failure))

    def deep(self, blocks: int) -> MachineLedger:
        """Make one; the whole chain is as deep from now on."""
        self.chain.depth = blocks
        return self.open()

    @asynccontextmanager
    async def halted(self) -> AsyncIterator[None]:
        self.chain.halt()
        yield
        self.chain.go_on()

    async def fork(self, blocks: int) -> None:
        self.chain.undo(blocks)
        self.chain.advance(blocks=blocks)

    async def wallet(self, name: str) -> Wallet:
        return self.chain.enrol(name)

    async def advance(self, seconds: int = 0, blocks: int = 1) -> None:
        self.chain.advance(seconds, blocks)

    async def outdate(self, who: Signer) -> None:
        """Let what was signed lapse."""
        self.chain.advance(blocks=LAPSES_AFTER + self.chain.depth)

    async def sent(self, who: Signer) -> int:
        return self.chain.count(who)

    async def add_client(self, of: Ledger, committee: Committee) -> str:
        return await MachineAdministered(self.open(), self.chain.admin).add_client(of, committee)

    async def join(self, client_id: str, other: str, by: Signer | None = None) -> None:
        here = self.open()
        await here.submit(here.gateway.set_counterparty(client_id, other), by or self.chain.admin)

    async def report(self, client_id: str, first: bytes, second: bytes, by: Signer) -> None:
        here = self.open()
        account = (await here.clients.of(client_id)).account
        await here.submit(here.clients.report_conflict(account, first, second), by)

    async def recover(self, client_id: str, substitute: Account, by: Signer | None = None) -> None:
        here = self.open()
        await here.submit(
            here.gateway.recover_client(client_id, substitute), by or self.chain.admin
        )
