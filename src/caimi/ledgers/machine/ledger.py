"""The port's `Ledger` over a machine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Coroutine
from typing import Any, Final, TypeVar

from caimi.errors.ledgers import CallInvalid, NotYetFinal, TransactionStuck
from caimi.ledgers.machine.bridge import MachineBridge
from caimi.ledgers.machine.calls import MachineCall
from caimi.ledgers.machine.clients import MachineClients
from caimi.ledgers.machine.feed import blocks_after
from caimi.ledgers.machine.fees import MachineFees
from caimi.ledgers.machine.gateway import MachineGateway
from caimi.ledgers.machine.machine import IncludedAct, Machine
from caimi.ledgers.machine.market import MachineMarket
from caimi.ledgers.machine.receipts import MachineReceipts
from caimi.ledgers.machine.registry import MachineRegistry
from caimi.ledgers.machine.sending import Sending
from caimi.ledgers.machine.typed import flat
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
    StandingClock,
)

R = TypeVar("R")
T = TypeVar("T")

_LOOK_AGAIN: Final = 0.01  # seconds


class MachineLedger:
    """One connection to such a ledger, which waits `patience` seconds for what never comes."""

    contract_accounts = None
    tokens = None
    watching = None
    deployed_at = 0

    def __init__(self, chain: Machine, *, patience: float = 5.0) -> None:
        self._chain = chain
        self._patience = patience
        self._sending = Sending(chain)
        self.id: LedgerId = chain.id
        self.accounts = chain.accounts
        self.registry = MachineRegistry(chain)
        self.market = MachineMarket(chain)
        self.bridge = MachineBridge(chain)
        self.gateway = MachineGateway(chain)
        self.clients = MachineClients(chain)
        self.receipts = MachineReceipts(chain)

    @property
    def machine(self) -> Machine:
        """What carries its acts out."""
        return self._chain

    @property
    def standing_clock(self) -> StandingClock | None:
        """What moves the ledger's time, where it stands."""
        return self._chain.standing_clock

    @property
    def coins(self) -> Coins | None:
        """What work is paid in, where it has a price."""
        return self._chain.coins

    @property
    def fees(self) -> MachineFees | None:
        """The escrow, where work has a price."""
        coins, escrow = self.coins, self._chain.escrow
        if coins is None or escrow is None:
            return None
        return MachineFees(self._chain, escrow, coins.asset)

    async def check(self) -> None:
        await self._chain.check()

    async def head(self) -> Block:
        await self._chain.refresh()
        return self._chain.head

    async def finalized(self) -> Block:
        await self._chain.refresh()
        return self._chain.final

    async def block(self, height: int) -> Block:
        await self._chain.refresh()
        return self._chain.block(height)

    async def feed(
        self, after: int, until: int | None = None, kinds: Collection[FactKind] = EVERY_KIND
    ) -> AsyncIterator[BlockFacts]:
        await self._chain.refresh()
        final = self._chain.final.height
        last = final if until is None else min(until, final)
        for told in blocks_after(self._chain, after, last, kinds):
            yield told

    async def recent(
        self, after: int, kinds: Collection[FactKind] = EVERY_KIND
    ) -> list[BlockFacts]:
        await self._chain.refresh()
        return list(blocks_after(self._chain, after, self._chain.head.height, kinds))

    async def height_of(self, tx: str) -> int | None:
        await self._chain.refresh()
        found = self._chain.find(tx)
        return None if found is None else found.block.height

    async def sign(self, call: Call[object], signer: Signer) -> SignedCall:
        ours = self._ours(call)
        await self._in_time(call.what, self._chain.ready())
        return self._sending.sign(ours, signer)

    async def broadcast(self, call: SignedCall) -> Done[None]:
        return self._done(await self._in_time(call.what, self._sending.send(call)), None)

    async def submit(
        self, call: Call[R], signer: Signer, *, outbox: Outbox | None = None, key: str = ""
    ) -> Done[R]:
        ours = self._ours(call)
        sending = self._sending.submit(ours, signer, outbox, key)
        included = await self._in_time(call.what, sending)
        return self._done(included, ours.effect(included.outcome.result))

    def describe(self, call: Call[object]) -> dict[str, str]:
        """Say which act it is, and with what."""
        ours = self._ours(call)
        return {"act": ours.act, "arguments": repr(flat(ours.arguments))}

    async def wait_final(self, height: int) -> Block:
        try:
            async with asyncio.timeout(self._patience):
                await self._chain.refresh()
                while self._chain.final.height < height:
                    await asyncio.sleep(_LOOK_AGAIN)
                    await self._chain.refresh()
        except TimeoutError as error:
            raise NotYetFinal(f"Block {height} of {self.id} was not final in time.") from error
        return self._chain.final

    async def aclose(self) -> None:
        await self._chain.aclose()

    async def _in_time(self, what: str, sending: Coroutine[Any, Any, T]) -> T:
        """Wait for what is sent; it may be taken after nobody waits for it any more."""
        try:
            async with asyncio.timeout(self._patience) as limit:
                return await sending
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise TransactionStuck(
                f"{what}: {self.id} did not take it within {self._patience:g} s."
            ) from error

    def _ours(self, call: Call[R]) -> MachineCall[R]:
        if call.ledger != self.id or not isinstance(call, MachineCall):
            raise CallInvalid(f"{call.what}: the call is for {call.ledger}, not for {self.id}.")
        return call

    def _done(self, included: IncludedAct, effect: R) -> Done[R]:
        """Say what a call did; where work is paid for each call is a unit of it."""
        block, fee = included.block, included.fee
        work = 0 if fee is None else 1
        return Done(self.id, included.tx, block.height, block.time, work, fee, effect)
