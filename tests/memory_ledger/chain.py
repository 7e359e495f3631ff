"""What is true of one ledger: its state, blocks, clock and finality, and who did what in it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from caimi.contracts.deployment import Contracts
from caimi.contracts.execution import Effect, Execution
from caimi.contracts.identifiers import Account
from caimi.contracts.state import State
from caimi.errors.ledgers import CallInvalid, HistoryGone, LedgerBehind
from caimi.hashing import sha256
from caimi.ledgers.machine.acts import ACTS, own_act
from caimi.ledgers.machine.calls import SignedAct
from caimi.ledgers.machine.escrow import RelayEscrow, escrow_acts
from caimi.ledgers.machine.machine import IncludedAct, Machine, ToldEffect, site_of
from caimi.ledgers.machine.typed import flat
from caimi.ledgers.port import NEWEST, At, Block, Exactly, LedgerId, Signer
from memory_ledger.mailbox import PORT, Mailbox
from memory_ledger.points import MemoryPoints, Points
from memory_ledger.states import States
from memory_ledger.tellings import Tellings
from memory_ledger.words import MemoryAccounts, Wallet, WordBook

START: Final = 1_700_000_000
E = TypeVar("E", bound=Effect)


@dataclass
class MemoryChain(Machine):
    """One ledger. Each call makes a block; blocks are final when `depth` more lie on them.

    Only the newest state and those not final yet are kept, unless it `keeps_past`. `clock` is what
    everybody agrees the time is, in seconds: it moves by `advance` alone. With a `work_price`, in
    points that its keeper credits to whoever wants some, relayers are paid; without, there is
    nothing to pay with.
    """

    name: str
    clock: int = START
    depth: int = 0
    keeps_past: bool = False
    work_price: int | None = None
    book: WordBook = field(default_factory=WordBook)
    blocks: list[Block] = field(default_factory=list)
    included: dict[str, IncludedAct] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.id = LedgerId(f"local:{self.name}")
        self.contracts = Contracts.over(site_of(self.id), self.book)
        gateway = self.contracts.gateway
        self.mailbox, self.escrow = Mailbox(gateway), RelayEscrow(gateway, Points())
        gateway.applications.install(self.mailbox)
        self.acts = {**ACTS, **escrow_acts(self.escrow), "post": own_act(self.mailbox.post)}
        self._told, self._counted = Tellings(), defaultdict[bytes, list[int]](list)
        self._states, self._final, self._forks = States(), 0, 0
        self._going, self._waiting = asyncio.Event(), list[SignedAct]()
        self._going.set()
        self.blocks.append(Block(0, self.clock, sha256(self.id.encode())))
        self.admin, self.guardian = self.enrol("admin"), self.enrol("guardian")
        founder, guardian = Account(self.admin.account), Account(self.guardian.account)
        first = Execution(self.state, 0, self.clock, founder)
        self.contracts.found(first, founder, guardian)
        gateway.applications.add(first, PORT, self.mailbox.account)

    @property
    def accounts(self) -> MemoryAccounts:
        return MemoryAccounts(self.id, self.book)

    @property
    def coins(self) -> MemoryPoints | None:
        """Points, where work has a price."""
        return None if self.work_price is None else MemoryPoints(self.id, self.work_price)

    # --- reading --------------------------------------------------------------------------------

    @property
    def head(self) -> Block:
        return self.blocks[-1]

    @property
    def final(self) -> Block:
        return self.blocks[self._final]

    def at(self, at: At) -> State:
        """Give a state to read.

        Raises:
            HistoryGone: it is past.
            LedgerBehind: it is to come.
        """
        if at is NEWEST:
            return self._states.newest
        height = self.block(at.height).height if isinstance(at, Exactly) else self._final
        past = isinstance(at, Exactly) and height != self.head.height and not self.keeps_past
        kept = None if past else self._states.at(height)
        if kept is None:
            raise HistoryGone(f"{self.id} keeps its newest state only, not that of {height}.")
        return kept

    def block(self, height: int) -> Block:
        """Give a block; raises `LedgerBehind` where there is none."""
        if not 0 <= height <= self.head.height:
            raise LedgerBehind(f"{self.id} has no block {height}.")
        return self.blocks[height]

    def told(self, after: int, last: int) -> Iterator[ToldEffect]:
        return self._told.between(after, last)

    def told_of(self, kind: type[E], after: int, last: int) -> Iterator[tuple[E, str, int]]:
        return self._told.of(kind, after, last)

    def find(self, tx: str) -> IncludedAct | None:
        return self.included.get(tx)

    async def check(self) -> None:
        """There is nothing between us and the chain."""

    async def aclose(self) -> None:
        """There is nothing to close."""

    # --- writing --------------------------------------------------------------------------------

    async def carry_out(self, signed: SignedAct) -> IncludedAct:
        if not self._going.is_set():
            self._waiting.append(signed)
            await self._going.wait()
        return self.take(signed)

    def halt(self) -> None:
        """Make no more blocks: what is to be carried out waits, whoever waits for it or not."""
        self._going.clear()

    def go_on(self) -> None:
        """Make blocks again, of what waits first; what cannot be taken any more is left out."""
        for signed in self._waiting:
            with suppress(CallInvalid):
                self.take(signed)
        self._waiting.clear()
        self._going.set()

    def take(self, signed: SignedAct) -> IncludedAct:
        """Include a call in a block of its own, once; raises `CallInvalid` as `admit` does."""
        known = self.included.get(signed.tx)
        if known is not None:
            return known
        self.admit(signed, self.head.height + 1)
        block = self._close(signed.tx.encode())
        outcome = self.perform(signed, self.state, block)
        fee = None if self.coins is None else self.coins.price
        included = IncludedAct(signed.tx, block, outcome, fee)
        self.included[signed.tx] = included
        self._counted[signed.envelope.author].append(block.height)
        for effect in outcome.effects:
            self._told.add(ToldEffect(effect, signed.tx, block.height))
        return included

    def advance(self, seconds: int = 0, blocks: int = 1) -> None:
        """Let time pass, and make empty blocks."""
        assert seconds >= 0, "An agreed clock never runs backwards."
        self.clock += seconds
        for _ in range(blocks):
            self._close(b"")

    def begin(self, act: str, *arguments: object) -> Any:
        """Have the administrator do something in the first block, before there is another."""
        assert self.head.height == 0, "It has begun already."
        first = Execution(self.state, 0, self.clock, Account(self.admin.account))
        return self.rules.run(first, act, flat(arguments)).result

    def undo(self, blocks: int) -> None:
        """Fork: take the newest blocks back, and what was in them; as deep as states are kept."""
        height = self.head.height - blocks
        self._states.undo(height)
        self._told.undo(height)
        del self.blocks[height + 1 :]
        self.included = {
            tx: each for tx, each in self.included.items() if each.block.height <= height
        }
        for heights in self._counted.values():
            heights[:] = [each for each in heights if each <= height]
        self._final = min(self._final, height)
        self._forks += 1

    def enrol(self, word: str) -> Wallet:
        """Give somebody an account."""
        wallet = Wallet(word.encode())
        self.book.enrol(wallet)
        return wallet

    def count(self, signer: Signer) -> int:
        """Tell how many calls of an account were included."""
        return len(self._counted[signer.account])

    def _close(self, content: bytes) -> Block:
        """Begin the next block; states that became final leave only the last of them."""
        before, forks = self.head, self._forks.to_bytes(8)
        digest = sha256(before.hash + self.clock.to_bytes(8) + forks + content)
        block = Block(before.height + 1, self.clock, digest)
        self._final = max(self._final, block.height - self.depth)
        self._states.grow(0 if self.keeps_past else self._final)
        self.blocks.append(block)
        return block
