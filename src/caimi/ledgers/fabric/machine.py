"""A Fabric channel as a machine: acts go to its chaincode, reads to a copy made of its blocks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeVar

from caimi.contracts.execution import Effect
from caimi.errors.fabric import FabricChaincodeRefused
from caimi.errors.ledgers import (
    ContractMissing,
    LedgerAnswerInvalid,
    LedgerUnavailable,
    WrongLedger,
)
from caimi.ibc.path import Path as IbcPath
from caimi.ledgers.client_proofs import EndorsedReads
from caimi.ledgers.fabric.batching import ActBatches
from caimi.ledgers.fabric.channel import Channel, Conflict
from caimi.ledgers.fabric.replica import Replica
from caimi.ledgers.fabric.rpc.endorsed_reads import EndorsedReader
from caimi.ledgers.fabric.setup import AccountingTerms, LedgerSetup
from caimi.ledgers.machine.calls import SignedAct, encode_act
from caimi.ledgers.machine.coins import MachineCoins
from caimi.ledgers.machine.ed25519_accounts import Ed25519Accounts
from caimi.ledgers.machine.machine import IncludedAct, Machine, ToldEffect
from caimi.ledgers.machine.tables import StateAt
from caimi.ledgers.machine.values import decode_value
from caimi.ledgers.port import NEWEST, At, Block, Exactly, LedgerId

E = TypeVar("E", bound=Effect)

STALE_SECONDS: Final = 30
"""How far the ledger's clock may be behind before an act is signed: then it is moved first."""


class FabricMachine(Machine):
    """One connection. Blocks are final at once, unless told to wait for `depth` more.

    Acts lapse by the ledger's clock: blocks come as they are needed, and none when nobody writes.
    """

    lapses_after = 600

    def __init__(
        self,
        ledger: LedgerId,
        channel: Channel,
        copy: Path,
        *,
        accounting: AccountingTerms | None = None,
        reader: EndorsedReader | None = None,
        depth: int = 0,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Make it ready to be asked. Without a `reader` no organisation signs what was read.

        Raises:
            LedgerUnavailable: there can be no copy there.
        """
        self.id = ledger
        setup = LedgerSetup(ledger, accounting)
        self.contracts, self.acts = setup.rules.contracts, setup.rules.acts
        self.escrow = setup.escrow
        self._setup = setup
        self._channel = channel
        self._reader = reader
        self._batches = ActBatches(channel)
        self._replica = Replica(ledger, copy)
        self._depth = depth
        self._now = now
        self._pulling = asyncio.Lock()
        self._pulls = 0

    @property
    def accounts(self) -> Ed25519Accounts:
        return self._setup.accounts

    @property
    def coins(self) -> MachineCoins | None:
        """The accounting asset, where there is one."""
        units, asset = self._setup.units, self._setup.asset
        if units is None or asset is None:
            return None
        return MachineCoins(self, units, asset)

    # --- reading --------------------------------------------------------------------------------

    async def refresh(self) -> None:
        """Take in all blocks that there are now.

        Raises:
            LedgerUnavailable: no peer answers.
            LedgerAnswerInvalid: a block is not what it has to be.
        """
        before = self._pulls
        async with self._pulling:
            if self._pulls > before:  # somebody who asked later has been here already
                return
            self._pulls += 1
            there = await self._channel.height()
            if self._replica.height < there:
                async for block in self._channel.blocks(self._replica.known, there - 1):
                    self._replica.follow(block)

    @property
    def clock(self) -> int:
        """What the organisations agreed on last: it stands while nobody moves it."""
        return self.head.time

    @property
    def head(self) -> Block:
        head = self._replica.tables.head
        if head is None:
            raise LedgerUnavailable(f"No block of {self.id} has been read yet.")
        return head

    @property
    def final(self) -> Block:
        return self.block(max(0, self.head.height - self._depth))

    def age(self, block: Block) -> int:
        """Give the clock's time: acts lapse by it."""
        return block.time

    def block(self, height: int) -> Block:
        return self._replica.tables.block(height)

    def at(self, at: At) -> StateAt:
        if isinstance(at, Exactly):
            return self._replica.tables.at(self.block(at.height).height)
        return self._replica.tables.at((self.head if at is NEWEST else self.final).height)

    def told(self, after: int, last: int) -> Iterator[ToldEffect]:
        return self._replica.tables.told(after, last)

    def told_of(self, kind: type[E], after: int, last: int) -> Iterator[tuple[E, str, int]]:
        return self._replica.tables.told_of(kind, after, last)

    def find(self, tx: str) -> IncludedAct | None:
        found, asset = self._replica.tables.find(tx), self._setup.asset
        if found is None or asset is None:
            return found
        return replace(found, fee=asset.of(0))

    async def endorsed_reads(self, paths: Sequence[IbcPath]) -> EndorsedReads:
        if self._reader is None:
            return await super().endorsed_reads(paths)
        return await self._reader.read(paths)

    async def check(self) -> None:
        """Check that the chaincode there is this ledger's.

        Raises:
            ContractMissing: it was not founded.
            WrongLedger: it is another ledger's.
            LedgerUnavailable: no peer answers.
        """
        match decode_value(await self._channel.ask("about", ())):
            case (None, int()):
                raise ContractMissing(f"{self.id} has CAIMI's chaincode, but was not founded.")
            case (bytes(named), int()) if named.decode(errors="replace") == self.id:
                return
            case (bytes(named), int()):
                shown = named.decode(errors="replace")[:60]
                raise WrongLedger(f"The chaincode is that of {shown}, not of {self.id}.")
        raise LedgerAnswerInvalid(f"The chaincode of {self.id} does not say what it is.")

    async def aclose(self) -> None:
        await self._batches.aclose()
        await self._channel.aclose()
        if self._reader is not None:
            await self._reader.aclose()
        self._replica.close()

    # --- writing --------------------------------------------------------------------------------

    async def ready(self) -> None:
        """Move the ledger's clock where it is far behind, since acts are dated and lapse by it.

        An organisation whose clock is behind refuses; then the clock stays as it is.
        """
        await self.refresh()
        if self._now() - self.clock > STALE_SECONDS:
            with suppress(Conflict, FabricChaincodeRefused):
                await self.tick(int(self._now()))
            await self.refresh()

    async def tick(self, seconds: int) -> None:
        """Move the ledger's clock; raises as `Channel.submit`."""
        await self._channel.submit("tick", (str(seconds).encode(),))

    async def carry_out(self, signed: SignedAct) -> IncludedAct:
        await self.refresh()
        known = self.find(signed.tx)
        if known is None:
            self.admit(signed, self.clock)
            await self._batches.carry_out(encode_act(signed), self.head.height + 1)
            await self.refresh()
            known = self.find(signed.tx)
        if known is None:
            raise LedgerAnswerInvalid(f"{signed.tx} is said to be in a block, and is in none.")
        return known
