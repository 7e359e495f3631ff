"""A place to test a ledger: how to reach it, who has coins, and how to move its time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from caimi.ledgers.evm.chain import Chain
from caimi.ledgers.evm.deployment import Deployment
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.signer import LocalSigner
from caimi.ledgers.evm.transactions import Patience
from caimi.ledgers.port import SignedCall

COIN = 10**18
IMPATIENT = Patience(stuck_after=5.0, give_up_after=20.0)


@dataclass
class Site:
    """One deployed ledger; `reach` makes a fresh connection in the running event loop."""

    reach: Callable[[], Chain]
    rich: LocalSigner
    deployment: Deployment

    def ledger(self, patience: Patience = IMPATIENT) -> EvmLedger:
        return EvmLedger(self.reach(), self.deployment, patience=patience)


@dataclass
class World:
    """What one test has: the ledger, and two accounts of its own with ten coins each."""

    site: Site
    ledger: EvmLedger
    alice: LocalSigner
    bob: LocalSigner

    async def published(self, name: str = "tumour-mlp") -> bytes:
        await self.ledger.submit(
            self.ledger.registry.publish(name, "1.0.0", b"\x11" * 32), self.alice
        )
        return self.ledger.registry.model_id(self.alice.account, name)

    async def mine(self) -> None:
        await self.ledger.chain.rpc.ask("evm_mine")

    async def sent(self, who: LocalSigner) -> int:
        count = await self.ledger.chain.rpc.ask(
            "eth_getTransactionCount", f"0x{who.account.hex()}", "latest"
        )
        return int(count, 16)


class Killed(Exception):
    """The process dies here."""


@dataclass
class MemoryOutbox:
    """An outbox in memory that can die right after it has written."""

    entries: dict[str, SignedCall] = field(default_factory=dict)
    die_after_record: bool = False

    async def sent(self, key: str) -> SignedCall | None:
        return self.entries.get(key)

    async def record(self, key: str, call: SignedCall) -> None:
        self.entries[key] = call
        if self.die_after_record:
            self.die_after_record = False
            raise Killed
