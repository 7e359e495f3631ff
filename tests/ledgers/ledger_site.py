"""EVM ledgers to test at: how to reach one, who has coins, and how to move its time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from conformance.site import Killed, MemoryOutbox

from caimi.keystore import LocalSigner
from caimi.ledgers.evm.administration.administering import EvmAdministered
from caimi.ledgers.evm.administration.changes import recover_client
from caimi.ledgers.evm.deployment import Deployment
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.rpc.chain import Chain
from caimi.ledgers.evm.rpc.client import RetryPolicy, Rpc
from caimi.ledgers.evm.rpc.finality import Depth
from caimi.ledgers.evm.transactions.sender import Patience
from caimi.ledgers.port import Account, Committee, Ledger, Signer

__all__ = ["COIN", "IMPATIENT", "EvmSite", "Killed", "MemoryOutbox"]

COIN = 10**18
IMPATIENT = Patience(stuck_after=5.0, give_up_after=20.0, displaced_after=1.0)


@dataclass
class EvmSite:
    """One deployed ledger (port `Site`); `reach` makes a connection in the running event loop."""

    reach: Callable[[], Chain]
    rich: LocalSigner
    deployment: Deployment
    has_coin = True
    keeps_past = True
    fork = None

    @property
    def guardian(self) -> LocalSigner:
        return self.rich

    def ledger(self, patience: Patience = IMPATIENT) -> EvmLedger:
        return EvmLedger(self.reach(), self.deployment, patience=patience)

    def open(self, patience: float = 20.0) -> EvmLedger:
        chain = self.reach()
        rpc = Rpc(chain.rpc.provider, chain.rpc.name, RetryPolicy(within=patience))
        return EvmLedger(
            Chain(rpc, chain.ledger, chain.finality),
            self.deployment,
            patience=replace(IMPATIENT, give_up_after=patience),
        )

    def failing(self, failure: Exception) -> EvmLedger:
        ledger = self.ledger()
        rpc, failures = ledger.chain.rpc, [failure]
        ask = rpc.ask

        async def lossy(method: str, *params: Any) -> Any:
            answer = await ask(method, *params)
            if method == "eth_sendRawTransaction" and failures:
                raise failures.pop()
            return answer

        rpc.ask = lossy  # type: ignore[method-assign]
        return ledger

    def deep(self, blocks: int) -> EvmLedger:
        chain = self.reach()
        return EvmLedger(
            Chain(chain.rpc, chain.ledger, Depth(blocks)), self.deployment, patience=IMPATIENT
        )

    async def wallet(self, name: str) -> LocalSigner:
        wallet, ledger = LocalSigner.generate(), self.ledger()
        await ledger.submit(
            ledger.coins.transfer(
                Account(ledger.id, wallet.account), ledger.coins.asset.of(10 * COIN)
            ),
            self.rich,
        )
        await ledger.aclose()
        return wallet

    async def advance(self, seconds: int = 0, blocks: int = 1) -> None:
        rpc = self.reach().rpc
        if seconds:
            await rpc.ask("evm_increaseTime", seconds)
        for _ in range(blocks):
            await rpc.ask("evm_mine")
        await rpc.aclose()

    async def outdate(self, who: Signer) -> None:
        """Take the nonce of what was signed for something else."""
        ledger = self.ledger()
        await ledger.submit(
            ledger.coins.transfer(Account(ledger.id, self.rich.account), ledger.coins.asset.of(1)),
            who,
        )
        await ledger.aclose()

    async def sent(self, who: Signer) -> int:
        rpc = self.reach().rpc
        count = await rpc.ask("eth_getTransactionCount", f"0x{who.account.hex()}", "latest")
        await rpc.aclose()
        return int(count, 16)

    async def add_client(self, of: Ledger, committee: Committee) -> str:
        here = self.ledger()
        added = await EvmAdministered(here, self.rich).add_client(of, committee)
        await here.aclose()
        return added

    async def join(self, client_id: str, other: str, by: Signer | None = None) -> None:
        here = self.ledger()
        await here.submit(here.gateway.set_counterparty(client_id, other), by or self.rich)
        await here.aclose()

    async def report(self, client_id: str, first: bytes, second: bytes, by: Signer) -> None:
        here = self.ledger()
        await here.submit(await here.watching.report_conflict(client_id, first, second), by)
        await here.aclose()

    async def recover(self, client_id: str, substitute: Account, by: Signer | None = None) -> None:
        here = self.ledger()
        await here.submit(recover_client(here, client_id, substitute.native), by or self.rich)
        await here.aclose()
