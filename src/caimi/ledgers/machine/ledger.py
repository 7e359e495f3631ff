"""The port's `Ledger` over a chain in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from typing import TypeVar

from caimi.errors.ledgers import CallInvalid, NotYetFinal
from caimi.ledgers.machine.bridge import MemoryBridge
from caimi.ledgers.machine.calls import MemoryCall
from caimi.ledgers.machine.clients import MemoryClients
from caimi.ledgers.machine.feed import blocks_after
from caimi.ledgers.machine.fees import MemoryFees
from caimi.ledgers.machine.gateway import MemoryGateway
from caimi.ledgers.machine.machine import Included, Machine
from caimi.ledgers.machine.market import MemoryMarket
from caimi.ledgers.machine.receipts import MemoryReceipts
from caimi.ledgers.machine.registry import MemoryRegistry
from caimi.ledgers.machine.sending import Sending
from caimi.ledgers.port import (
    EVERY_KIND,
    Block,
    BlockFacts,
    Call,
    Coins,
    Done,
    FactKind,
    LedgerId,
    Outbox,
    SignedCall,
    Signer,
)

R = TypeVar("R")


class MemoryLedger:
    """One connection to a chain in memory, which waits `patience` seconds for what never comes."""

    contract_accounts = None
    watching = None
    deployed_at = 0

    def __init__(
        self, chain: Machine, *, patience: float = 5.0, failure: Exception | None = None
    ) -> None:
        self._chain = chain
        self._patience = patience
        self._sending = Sending(chain, failure)
        self.id: LedgerId = chain.id
        self.accounts = chain.accounts
        self.registry = MemoryRegistry(chain)
        self.market = MemoryMarket(chain)
        self.bridge = MemoryBridge(chain)
        self.gateway = MemoryGateway(chain)
        self.clients = MemoryClients(chain)
        self.receipts = MemoryReceipts(chain)

    @property
    def coins(self) -> Coins | None:
        """What work is paid in, where it has a price."""
        return self._chain.coins

    @property
    def fees(self) -> MemoryFees | None:
        """The escrow, where work has a price."""
        coins = self.coins
        return None if coins is None else MemoryFees(self._chain, coins.asset)

    async def check(self) -> None:
        """There is nothing between us and the chain."""

    async def head(self) -> Block:
        return self._chain.head

    async def finalized(self) -> Block:
        return self._chain.final

    async def block(self, height: int) -> Block:
        return self._chain.block(height)

    async def feed(
        self, after: int, until: int | None = None, kinds: Collection[FactKind] = EVERY_KIND
    ) -> AsyncIterator[BlockFacts]:
        final = self._chain.final.height
        last = final if until is None else min(until, final)
        for told in blocks_after(self._chain, after, last, kinds):
            yield told

    async def recent(
        self, after: int, kinds: Collection[FactKind] = EVERY_KIND
    ) -> list[BlockFacts]:
        return list(blocks_after(self._chain, after, self._chain.head.height, kinds))

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
        """Say what a call did; where work has a price each call is a unit of it."""
        block, fee = included.block, included.fee
        work = 0 if fee is None else 1
        return Done(self.id, included.tx, block.height, block.time, work, fee, effect)
