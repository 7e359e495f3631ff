"""The port's `Ledger` over a chain in memory."""

from __future__ import annotations

import asyncio
from typing import NoReturn, TypeVar

from caimi.errors.ledgers import CallInvalid, NotOffered, NotYetFinal
from caimi.ledgers.port import Account, Block, Call, Done, LedgerId, Outbox, SignedCall, Signer
from memory_ledger.bridge import MemoryBridge
from memory_ledger.calls import MemoryCall
from memory_ledger.chain import Included, MemoryChain
from memory_ledger.clients import MemoryClients
from memory_ledger.gateway import MemoryGateway
from memory_ledger.market import MemoryMarket
from memory_ledger.receipts import MemoryReceipts
from memory_ledger.registry import MemoryRegistry
from memory_ledger.sending import Sending
from memory_ledger.words import MemoryAccounts

R = TypeVar("R")


class MemoryLedger:
    """One connection to a chain in memory, which waits `patience` seconds for what never comes."""

    fees = None
    contract_accounts = None
    watching = None
    deployed_at = 0

    def __init__(
        self, chain: MemoryChain, *, patience: float = 5.0, failure: Exception | None = None
    ) -> None:
        self._chain = chain
        self._patience = patience
        self._sending = Sending(chain, failure)
        self.id: LedgerId = chain.id
        self.accounts = MemoryAccounts(chain.id)
        self.registry = MemoryRegistry(chain)
        self.market = MemoryMarket(chain)
        self.bridge = MemoryBridge(chain)
        self.gateway = MemoryGateway(chain)
        self.clients = MemoryClients(chain)
        self.receipts = MemoryReceipts(chain)

    async def check(self) -> None:
        """There is nothing between us and the chain."""

    async def head(self) -> Block:
        return self._chain.head

    async def finalized(self) -> Block:
        return self._chain.final

    async def block(self, height: int) -> Block:
        return self._chain.block(height)

    async def balance(self, account: Account) -> int:
        self._no_coin()

    async def work_price(self) -> int:
        self._no_coin()

    async def transfer_coins(self, recipient: Account, amount: int, signer: Signer) -> Done[None]:
        self._no_coin()

    async def sign(self, call: Call[object], signer: Signer) -> SignedCall:
        return self._sending.sign(self._ours(call), signer)

    async def broadcast(self, call: SignedCall) -> Done[None]:
        return self._done(await self._sending.send(call), None)

    async def submit(
        self, call: Call[R], signer: Signer, *, outbox: Outbox | None = None, key: str = ""
    ) -> Done[R]:
        ours = self._ours(call)
        included = await self._sending.submit(ours, signer, outbox, key)
        return self._done(included, ours.effect(included.result))

    def describe(self, call: Call[object]) -> dict[str, str]:
        """Say which act it is, and with what."""
        ours = self._ours(call)
        return {"act": ours.act, "arguments": repr(ours.arguments)}

    async def wait_final(self, height: int) -> Block:
        try:
            async with asyncio.timeout(self._patience):
                while self._chain.final.height < height:  # noqa: ASYNC110 - a test moves it
                    await asyncio.sleep(0.002)
        except TimeoutError as error:
            raise NotYetFinal(f"Block {height} of {self.id} was not final in time.") from error
        return self._chain.final

    async def aclose(self) -> None:
        """There is nothing to close."""

    def _ours(self, call: Call[R]) -> MemoryCall[R]:
        if call.ledger != self.id or not isinstance(call, MemoryCall):
            raise CallInvalid(f"{call.what}: the call is for {call.ledger}, not for {self.id}.")
        return call

    def _done(self, included: Included, effect: R) -> Done[R]:
        block = included.block
        return Done(self.id, included.tx, block.height, block.time, 0, 0, effect)

    def _no_coin(self) -> NoReturn:
        raise NotOffered(f"{self.id} has no coin.")
