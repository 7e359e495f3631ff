"""A treasury on a ledger in this process, and accounts that it keeps in coins."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from caimi.client.refilling.looking import Viewpoints
from caimi.client.refilling.planning import RefillLimits
from caimi.client.refilling.recipients import Recipient, TreasuryTerms
from caimi.client.refilling.rounds import LedgerTreasury, RefillOutcome
from caimi.journal import Journal
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.deployment import NAMES, Deployment
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.local.embedded import EmbeddedChain
from caimi.ledgers.evm.local.in_process import embedded_chain
from caimi.ledgers.evm.rpc.finality import Depth
from caimi.ledgers.port import Account, Ledger, LedgerId, Signer
from caimi.persistence import journal_in

COIN = 10**18
START = 1_700_000_000
LEDGER = LedgerId("eip155:31337")
NOWHERE = Deployment(LEDGER, dict.fromkeys(NAMES, bytes(20)), 0)
"""Coins need no contracts."""


@dataclass
class TreasurySite:
    """Two kept accounts without coins, at 1 to 4 of them, and 10 that may leave in a day."""

    folder: Path
    services: tuple[LocalSigner, ...]
    treasury: LocalSigner = field(default_factory=LocalSigner.generate)
    machine: float = START
    held: int = 100 * COIN
    finality: int = 0

    def __post_init__(self) -> None:
        self.time = float(START)
        self.chain = EmbeddedChain(31337, {self.treasury.account: self.held}, clock=self.clock)
        self.ledger = self.view()
        coin = self.ledger.coins.asset
        limits = RefillLimits(*(coin.of(each * COIN) for each in (1, 4, 10, 10)))
        kept = tuple(Recipient(Account(LEDGER, each.account), "test") for each in self.services)
        self.terms = TreasuryTerms("treasury", Account(LEDGER, self.treasury.account), limits, kept)
        self.views: list[Ledger] = [self.ledger]
        self.quorum: int | None = None

    def clock(self) -> float:
        return self.time

    def view(self) -> EvmLedger:
        chain = embedded_chain(self.chain)
        chain.finality = Depth(self.finality)
        return EvmLedger(chain, NOWHERE)

    def opened(self) -> LedgerTreasury:
        viewpoints = Viewpoints(tuple(self.views), self.quorum)
        return LedgerTreasury(viewpoints, self.terms, lambda: self.machine)

    async def refill(
        self, journal: Journal | None = None, signer: Signer | None = None
    ) -> RefillOutcome:
        kept = journal or self.journal()
        try:
            async with self.opened().round(kept) as found:
                return await found.carry_out(signer or self.treasury)
        finally:
            if journal is None:
                kept.close()

    def journal(self) -> Journal:
        return journal_in(self.folder / "journal.sqlite")

    def pass_time(self, seconds: int) -> None:
        self.time += seconds
        self.machine += seconds
        self.chain.mine()

    def coins(self, who: LocalSigner | Account) -> float:
        native = who.native if isinstance(who, Account) else who.account
        return self.chain.balance(native) / COIN

    async def drain(self, who: LocalSigner, coins: float = 0.0) -> None:
        """Have an account send away all but about some of its coins."""
        asset, dead = self.ledger.coins.asset, Account(LEDGER, b"\xdd" * 20)
        held = self.chain.balance(who.account)
        amount = asset.of(held - int(coins * COIN) - COIN // 1000)
        await self.ledger.submit(self.ledger.coins.transfer(dead, amount), who)
