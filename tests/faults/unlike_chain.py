"""The ledger that is deliberately unlike EVM, on a schedule's clock: mempool, forks and halts.

It runs CAIMI's contracts in Python (`memory_ledger`): each call makes a block of its own, accounts
are words with Ed25519 keys, and there is no coin. Nodes show nothing of its past.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from random import Random

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from caimi.contracts.identifiers import TokenId
from caimi.errors.ledgers import CallInvalid
from caimi.hashing import sha256
from caimi.ledgers.machine.calls import SignedAct
from caimi.ledgers.port import Block, LedgerId
from faults.chain import START
from faults.transaction import Log
from faults.unlike_events import events_of
from memory_ledger import MemoryChain, Wallet

DAY = 86_400


@cache
def wallet(name: str) -> Wallet:
    """Make the key of somebody's word from their name."""
    letters = str.maketrans("0123456789", "abcdefghij", " ")
    secret = Ed25519PrivateKey.from_private_bytes(sha256(name.encode()))
    return Wallet(b"of" + name.translate(letters).encode(), secret)


class UnlikeChain:
    """One ledger, with what a schedule knows of an EVM one; `begin` makes it anew.

    Every `interval` seconds it takes the calls that wait, or makes one empty block.
    """

    def __init__(
        self, ledger: LedgerId, now: Callable[[], float], begin: Callable[[], MemoryChain]
    ) -> None:
        self.id = ledger
        self.now = now
        self.begin = begin
        self.interval = 12
        self.skew = 0
        self.grain = 1
        self.base_fee = 0  # nobody pays here
        self.rng = Random(0)
        self.halted_until = 0.0
        self.on_block: Callable[[UnlikeChain, Block], None] = lambda chain, block: None
        self.pool: dict[str, SignedAct] = {}
        self.taken: list[SignedAct] = []
        self.due = 0.0
        self.restore()

    def restore(self) -> None:
        """Go back to where every schedule begins."""
        self.memory = self.begin()
        self.pool.clear()
        self.taken.clear()
        self.halted_until = 0.0
        self.due = self.now() + self.interval
        self.client_prefix = self.memory.contracts.gateway.routes.prefix
        self._base = self.memory.head.height

    # --- blocks ---------------------------------------------------------------------------------

    @property
    def depth(self) -> int:
        return self.memory.depth

    @depth.setter
    def depth(self, blocks: int) -> None:
        self.memory.depth = blocks

    @property
    def blocks(self) -> list[Block]:
        return self.memory.blocks

    @property
    def head(self) -> Block:
        return self.memory.head

    @property
    def final_height(self) -> int:
        return self.memory.final.height

    def catch_up(self) -> None:
        """Make all blocks that are due."""
        while self.due <= self.now():
            if self.due >= self.halted_until:
                self._set_clock(START + DAY + int(self.due) + self.skew)
                if not self._take_all():
                    self.memory.advance()
            self.due += self.interval

    def _set_clock(self, time: int) -> None:
        """Have everybody agree on a time, which never runs backwards."""
        self.memory.clock = max(self.memory.clock, time - time % self.grain)

    def _take_all(self) -> int:
        waiting = list(self.pool.values())
        self.pool.clear()
        return sum(self._take(call) for call in waiting)

    def _take(self, call: SignedAct) -> bool:
        """Include a call in a block of its own; one that lapsed, or is there, makes none."""
        before = self.memory.head.height
        try:
            self.memory.take(call)
        except CallInvalid:
            return False
        if self.memory.head.height == before:
            return False
        self.taken.append(call)
        self.on_block(self, self.memory.head)
        return True

    def reorganise(self, depth: int, losing: float) -> None:
        """Replace the newest `depth` blocks by others; each call is lost with a chance."""
        self.catch_up()
        depth = min(depth, self.memory.head.height - self._base)
        if depth < 1:
            return
        height = self.memory.head.height - depth
        undone = [each for each in self.taken if self._height(each) > height]
        self.memory.undo(depth)
        self.taken = [each for each in self.taken if each not in undone]
        for call in undone:
            if self.rng.random() >= losing:
                self.pool.setdefault(call.tx, call)
        for _ in range(self.rng.randint(1, depth + 1)):
            self.memory.advance()
        self._take_all()
        while self.memory.head.height <= height + depth:
            self.memory.advance()

    def _height(self, call: SignedAct) -> int:
        return self.memory.included[call.tx].block.height

    # --- what nodes and the law ask -------------------------------------------------------------

    def accept(self, call: SignedAct) -> None:
        """Let a call wait for its block, unless it is there already."""
        if call.tx not in self.memory.included:
            self.pool.setdefault(call.tx, call)

    def replay(self, rng: Random) -> None:
        """Send something again that was taken before, word for word."""
        if self.taken:
            call = rng.choice(self.taken[-6:])
            self.pool.setdefault(call.tx, call)

    def is_owned(self, token_id: bytes) -> bool:
        """Whether somebody but the bridge owns a token."""
        contracts, state = self.memory.contracts, self.memory.state
        owner = contracts.registry.ownership.owner(state, TokenId(token_id))
        return bool(owner) and owner != self.memory.site.bridge

    @property
    def logs(self) -> list[Log]:
        """What its calls told, in the form in which schedules compare ledgers."""
        return events_of(self.memory)
