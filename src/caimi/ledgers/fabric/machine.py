"""A Fabric channel as a machine: acts go to its chaincode, reads to a copy made of its blocks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from caimi.contracts.execution import Effect
from caimi.errors.fabric import FabricChaincodeRefused, FabricTermsDiffer, FabricTermsInvalid
from caimi.errors.ledgers import (
    ContractMissing,
    LedgerAnswerInvalid,
    LedgerUnavailable,
    WrongLedger,
)
from caimi.ibc.path import Path as IbcPath
from caimi.ledgers.client_proofs import EndorsedReads
from caimi.ledgers.fabric.batching import ActBatches
from caimi.ledgers.fabric.chaincode.contract import TICK_SECONDS
from caimi.ledgers.fabric.channel import Channel, TransactionConflict
from caimi.ledgers.fabric.replica import Replica
from caimi.ledgers.fabric.setup import LedgerSetup
from caimi.ledgers.fabric.terms import AccountingTerms, FoundingTerms
from caimi.ledgers.machine.calls import SignedAct, encode_act
from caimi.ledgers.machine.coins import MachineCoins
from caimi.ledgers.machine.ed25519_accounts import Ed25519Accounts
from caimi.ledgers.machine.machine import IncludedAct, Machine, ToldEffect
from caimi.ledgers.machine.tables import StateAt
from caimi.ledgers.machine.values import decode_value
from caimi.ledgers.port import NEWEST, At, Block, Exactly, LedgerId

if TYPE_CHECKING:
    from caimi.ledgers.fabric.rpc.endorsed_reads import EndorsedReader  # which needs gRPC

E = TypeVar("E", bound=Effect)

STALE_SECONDS: Final = 30
"""How far the ledger's clock may be behind before an act is signed: then it is moved first."""
_LOOK_AGAIN: Final = 0.05  # seconds


class FabricMachine(Machine):
    """One connection. Blocks are final at once.

    With a `depth` they count as final once so many more lie on them, which may never be: blocks
    come when somebody writes. Only tests ask for that.

    Acts lapse by the ledger's clock: blocks come as they are needed, and none when nobody writes.
    """

    lapses_after = 600
    catches_up = 10.0
    """How long a block that one peer has is waited for, in seconds, where another is asked then."""

    def __init__(
        self,
        ledger: LedgerId,
        channel: Channel,
        copy: Path,
        *,
        accounting: AccountingTerms | None = None,
        terms: str | None = None,
        reader: Callable[[], EndorsedReader] | None = None,
        depth: int = 0,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Make it ready to be asked; `terms` is the fingerprint of those it has, where known.

        `reader` gives who has organisations sign what they read; without it none does.

        Raises:
            LedgerUnavailable: there can be no copy there.
        """
        self.id = ledger
        setup = LedgerSetup(ledger, accounting)
        self.contracts, self.acts = setup.rules.contracts, setup.rules.acts
        self.escrow = setup.escrow
        self._setup = setup
        self._accounting = accounting
        self._terms = terms
        self._channel = channel
        self._open_reader = reader
        self._reader: EndorsedReader | None = None
        self._batches = ActBatches(channel)
        self._replica = Replica(ledger, copy)
        self._depth = depth
        self._now = now
        self._pulling = asyncio.Lock()
        self._begun = self._pulled = 0

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
        before = self._begun
        async with self._pulling:
            if self._pulled > before:  # what somebody else has taken in began after we asked
                return
            self._begun = mine = self._begun + 1
            there = await self._channel.height()
            if self._replica.height < there:
                async for block in self._channel.blocks(self._replica.known, there - 1):
                    self._replica.follow(block)
            self._pulled = mine

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
        """Give the last second that is over by the clock: acts lapse by it.

        The clock stands between ticks, and until it moves acts of its very second are carried out.
        """
        return block.time - 1

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
        if self._open_reader is None:
            return await super().endorsed_reads(paths)
        if self._reader is None:
            self._reader = self._open_reader()
        return await self._reader.read(paths)

    async def check(self) -> None:
        """Check that the chaincode there is this ledger's.

        Raises:
            ContractMissing: it was not founded.
            WrongLedger: it is another ledger's.
            FabricTermsDiffer: it has another accounting asset, or other terms than are known.
            LedgerUnavailable: no peer answers.
        """
        terms = await self.terms()
        if terms is None:
            raise ContractMissing(f"{self.id} has CAIMI's chaincode, but was not founded.")
        if terms.ledger != self.id:
            raise WrongLedger(f"The chaincode is that of {terms.ledger}, not of {self.id}.")
        if terms.accounting != self._accounting:
            raise FabricTermsDiffer(
                f"{self.id} has {_shown(terms.accounting)}, its section {_shown(self._accounting)}."
            )
        if self._terms not in (None, terms.fingerprint):
            raise FabricTermsDiffer(
                f"{self.id} was founded on the terms {terms.fingerprint}, not on {self._terms}."
            )

    async def terms(self) -> FoundingTerms | None:
        """Tell on which terms the ledger was founded; None where it was not.

        Raises:
            LedgerAnswerInvalid: the chaincode is none of CAIMI's.
            LedgerUnavailable: no peer answers.
        """
        answer = await self._channel.ask("about", ())
        try:
            match decode_value(answer):
                case (None, int()):
                    return None
                case (bytes(terms), int()):
                    return FoundingTerms.decode(terms)
        except (ValueError, FabricTermsInvalid):
            pass
        raise LedgerAnswerInvalid(f"The chaincode of {self.id} does not say what it is.")

    async def found(self, terms: FoundingTerms) -> None:
        """Found the ledger, where all organisations agreed to these terms; raises as `submit`."""
        await self._channel.submit("found", (terms.encode(),))

    async def aclose(self) -> None:
        await self._batches.aclose()
        await self._channel.aclose()
        if self._reader is not None:
            await self._reader.aclose()
        self._replica.close()

    # --- writing --------------------------------------------------------------------------------

    async def ready(self) -> None:
        """Move the ledger's clock where it is far behind, since acts are dated and lapse by it."""
        await self._move_clock(STALE_SECONDS)

    @property
    def standing_clock(self) -> FabricMachine:
        """Blocks come when somebody writes, and time with them."""
        return self

    @property
    def present(self) -> int:
        """What time it is here."""
        return int(self._now())

    async def move(self) -> None:
        """Move the ledger's clock; see `StandingClock.move`."""
        await self._move_clock(TICK_SECONDS)

    async def _move_clock(self, behind: int) -> None:
        """Move it where it is so far behind.

        An organisation whose clock is behind refuses; then the ledger's stays as it is.
        """
        await self.refresh()
        if self.present - self.clock >= behind:
            with suppress(TransactionConflict, FabricChaincodeRefused):
                await self.tick(self.present)
            await self.refresh()

    async def tick(self, seconds: int) -> None:
        """Move the ledger's clock; raises as `Channel.submit`."""
        await self._channel.submit("tick", (str(seconds).encode(),))

    async def carry_out(self, signed: SignedAct) -> IncludedAct:
        await self.refresh()
        known = self.find(signed.tx)
        if known is None:
            self.admit(signed, self.clock)
            await self._catch_up(await self._batches.carry_out(encode_act(signed)))
            known = self.find(signed.tx)
        if known is None:
            raise LedgerAnswerInvalid(f"{signed.tx} is said to be in a block, and is in none.")
        return known

    async def _catch_up(self, height: int) -> None:
        """Take in blocks up to one that a peer has: the next peer may be a little behind it."""
        ends = time.monotonic() + self.catches_up
        await self.refresh()
        while self.head.height < height:
            if time.monotonic() > ends:
                raise LedgerUnavailable(
                    f"Block {height} of {self.id} is said to be there, and no peer shows it yet.",
                    why="The peer that is asked is behind the others, or another said what is not.",
                    next_step="Run the same command again: what was sent takes effect once.",
                )
            await asyncio.sleep(_LOOK_AGAIN)
            await self.refresh()


def _shown(asset: AccountingTerms | None) -> str:
    if asset is None:
        return "no accounting asset"
    return f"{asset.symbol} with {asset.decimals} decimals of {asset.issuer}"
