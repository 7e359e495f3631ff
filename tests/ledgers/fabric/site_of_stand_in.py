"""Where to test a ledger on a Fabric channel that stands in for one (the suite's port `Site`)."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from copied_acts import count_acts
from machine_site import MachineSite
from stand_in import LosingChannel, StandIn, StandInChannel

from caimi.ledgers.fabric.chaincode.contract import Chaincode
from caimi.ledgers.fabric.machine import FabricMachine
from caimi.ledgers.fabric.terms import AccountingTerms, FoundingTerms
from caimi.ledgers.machine.coins import MachineCoins
from caimi.ledgers.machine.ed25519_keys import Ed25519Key
from caimi.ledgers.machine.ledger import MachineLedger
from caimi.ledgers.port import Account, LedgerId, Signer


@dataclass
class FabricSite(MachineSite):
    """One channel, of two organisations whose clocks are moved together."""

    id: LedgerId
    folder: Path
    there: StandIn = field(init=False)
    admin: Ed25519Key = field(default_factory=Ed25519Key)
    shift: int = 0
    copies: int = 0
    issuer: Ed25519Key | None = None
    keeps_past = True
    fork = None

    @classmethod
    async def named(cls, name: str, folder: Path, issuer: Ed25519Key | None = None) -> FabricSite:
        site = cls(LedgerId(f"fabric:{name}"), folder, issuer=issuer)
        admin = site.admin.account.decode()
        terms = FoundingTerms(site.id, admin, admin, site.accounting)
        one = Chaincode(site.id, terms, site.now)
        other = Chaincode(site.id, terms, lambda: site.now() - 2)
        site.there = StandIn([one, other])
        await StandInChannel(site.there).submit("found", (terms.encode(),))
        await site.advance()
        return site

    @property
    def has_coin(self) -> bool:
        return self.issuer is not None

    @property
    def accounting(self) -> AccountingTerms | None:
        if self.issuer is None:
            return None
        issuer = self.issuer.account.decode()
        return AccountingTerms(issuer=issuer, symbol="EUR", decimals=2)

    def now(self) -> int:
        return int(time.time()) + self.shift

    @property
    def guardian(self) -> Ed25519Key:
        return self.admin

    def machine(self, channel: StandInChannel, depth: int = 0) -> FabricMachine:
        self.copies += 1
        return FabricMachine(
            self.id, channel, self.copy, accounting=self.accounting, depth=depth, now=self.now
        )

    @property
    def copy(self) -> Path:
        """Where the machine that was made last has its copy."""
        return self.folder / f"{self.id.replace(':', '-')}-{self.copies}.sqlite"

    def open(self, patience: float = 20.0) -> MachineLedger:
        return MachineLedger(self.machine(StandInChannel(self.there)), patience=patience)

    def failing(self, failure: Exception) -> MachineLedger:
        return MachineLedger(self.machine(LosingChannel(self.there, failure)))

    def deep(self, blocks: int) -> MachineLedger:
        return MachineLedger(self.machine(StandInChannel(self.there), blocks))

    @asynccontextmanager
    async def halted(self) -> AsyncIterator[None]:
        """Have the orderers stand still."""
        self.there.going.clear()
        yield
        self.there.going.set()

    async def wallet(self, name: str) -> Ed25519Key:
        key = Ed25519Key()
        if self.issuer is not None:
            there = self.open()
            coins = there.coins
            assert isinstance(coins, MachineCoins)
            minted = coins.mint(Account(self.id, key.account), coins.asset.of(1_000_000))
            await there.submit(minted, self.issuer)
            await there.aclose()
        return key

    async def advance(self, seconds: int = 0, blocks: int = 1) -> None:
        self.shift += seconds
        channel = StandInChannel(self.there)
        for _ in range(blocks - 1 if seconds or blocks else 0):
            self.there.close_block(())
        clock = self.there.values.get("clock")
        now = int.from_bytes(clock[0]) if clock else 0
        if self.now() >= now + 5:
            await channel.submit("tick", (str(self.now()).encode(),))
        else:
            self.there.close_block(())

    async def outdate(self, who: Signer) -> None:
        """Let what was signed lapse."""
        await self.advance(seconds=FabricMachine.lapses_after + 1)

    async def sent(self, who: Signer) -> int:
        machine = self.machine(StandInChannel(self.there))
        await machine.refresh()
        return count_acts(self.copy, who)
