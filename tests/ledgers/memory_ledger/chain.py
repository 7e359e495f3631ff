"""What is true of one ledger: its state, blocks, clock and finality, and who did what in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from caimi.chains import InteroperableAddress
from caimi.contracts.deployment import Contracts
from caimi.contracts.execution import Effect, Executed, Execution
from caimi.contracts.identifiers import Account, InteroperableLedger
from caimi.contracts.site import Site
from caimi.contracts.state import MemoryState, Overlay, State
from caimi.errors.ledgers import CallInvalid, CallRefused, HistoryGone, LedgerBehind
from caimi.hashing import sha256
from caimi.ledgers.port import NEWEST, At, Block, Exactly, LedgerId, Signer
from caimi.ledgers.port import Account as LedgerAccount
from memory_ledger.acts import ACTS
from memory_ledger.calls import Envelope, MemoryCall, Signed
from memory_ledger.words import Wallet, WordBook

START: Final = 1_700_000_000
CONTRACTS: Final = (b"gateway", b"registry", b"bridge", b"market")
E = TypeVar("E", bound=Effect)


@dataclass(frozen=True, slots=True)
class Included:
    """What became of a call in its block."""

    tx: str
    block: Block
    author: bytes
    result: Any
    effects: tuple[Effect, ...]
    refusal: CallRefused | None


@dataclass(frozen=True, slots=True)
class Told:
    """One effect, and where it came about."""

    effect: Effect
    tx: str
    height: int


@dataclass
class MemoryChain:
    """One ledger. Each call makes a block; blocks are final when `depth` more lie on them.

    Only the newest state and those not final yet are kept. `clock` is what everybody agrees the
    time is, in seconds: it moves by `advance` alone.
    """

    name: str
    clock: int = START
    depth: int = 0
    book: WordBook = field(default_factory=WordBook)
    blocks: list[Block] = field(default_factory=list)
    included: dict[str, Included] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.id = LedgerId(f"local:{self.name}")
        ledger = InteroperableLedger(InteroperableAddress.from_caip(self.id).to_bytes())
        self.site = Site(ledger, *(Account(word) for word in CONTRACTS))
        self.contracts = Contracts.over(self.site, self.book)
        self._states: list[tuple[int, MemoryState]] = [(0, MemoryState())]
        self.blocks.append(Block(0, self.clock, sha256(self.id.encode())))
        self.admin = self.enrol("admin")
        founder, guardian = Account(b"admin"), Account(b"guardian")
        first = Execution(self.state, 0, self.clock, founder)
        self.contracts.found(first, founder, guardian)

    def account(self, word: bytes) -> LedgerAccount:
        """Give the account of a word here."""
        return LedgerAccount(self.id, word)

    def native(self, who: LedgerAccount) -> Account:
        """Give the word of an account here; raises `CallInvalid` for one of another ledger."""
        if who.ledger != self.id:
            raise CallInvalid(f"The account {who} is not of {self.id}.")
        return Account(who.native)

    # --- reading --------------------------------------------------------------------------------

    @property
    def head(self) -> Block:
        return self.blocks[-1]

    @property
    def final(self) -> Block:
        return self.blocks[self._states[0][0]]

    @property
    def state(self) -> State:
        """The newest state."""
        return self._states[-1][1]

    def at(self, at: At) -> State:
        """Give a state to read.

        Raises:
            HistoryGone: it is past.
            LedgerBehind: it is to come.
        """
        if at is NEWEST:
            return self.state
        if not isinstance(at, Exactly):
            return self._states[0][1]
        self.block(at.height)
        if at.height != self.head.height:
            raise HistoryGone(f"{self.id} keeps its newest state only, not that of {at.height}.")
        return self.state

    def block(self, height: int) -> Block:
        """Give a block; raises `LedgerBehind` where there is none."""
        if not 0 <= height <= self.head.height:
            raise LedgerBehind(f"{self.id} has no block {height}.")
        return self.blocks[height]

    def tellings(
        self, kind: type[E], from_height: int, to_height: int
    ) -> Iterator[tuple[E, str, int]]:
        """Give the effects of a kind in blocks (from_height, to_height], each with tx and height.

        They are few enough here to look through them all.
        """
        for each in self.told:
            if isinstance(each.effect, kind) and from_height < each.height <= to_height:
                yield each.effect, each.tx, each.height

    def ever(self, kind: type[E]) -> Iterator[tuple[E, str, int]]:
        """Give all effects of a kind."""
        return self.tellings(kind, -1, self.head.height)

    # --- writing --------------------------------------------------------------------------------

    def try_out(self, call: MemoryCall[object], author: bytes) -> None:
        """Make a call without effect; raises `CallRefused` as it would."""
        state = Overlay(self.state)
        height, arguments = self.head.height + 1, call.arguments
        self._run(Execution(state, height, self.clock, Account(author)), call.act, arguments)

    def take(self, signed: Signed) -> Included:
        """Include a call in a block of its own, once however often it comes.

        Raises:
            CallInvalid: its author did not sign it, it is for another ledger, or it has lapsed.
        """
        known = self.included.get(signed.tx)
        if known is not None:
            return known
        said = signed.envelope
        if not self.book.verifies(said.author, signed.digest, signed.signature):
            raise CallInvalid(f"{said.author!r} did not sign {signed.tx}: it is damaged.")
        if said.ledger != self.id or said.act not in ACTS:
            raise CallInvalid(f"{signed.tx} is for {said.ledger}, or for nothing known.")
        if said.until <= self.head.height:
            raise CallInvalid(f"{signed.tx} lapsed after block {said.until}.")
        return self._include(signed.tx, said)

    def advance(self, seconds: int = 0, blocks: int = 1) -> None:
        """Let time pass, and make empty blocks."""
        assert seconds >= 0, "An agreed clock never runs backwards."
        self.clock += seconds
        for _ in range(blocks):
            self._close(b"")

    def enrol(self, word: str) -> Wallet:
        """Give somebody an account."""
        wallet = Wallet(word.encode())
        self.book.enrol(wallet)
        return wallet

    def count(self, signer: Signer) -> int:
        """Tell how many calls of an account were included."""
        return sum(each.author == signer.account for each in self.included.values())

    def _include(self, tx: str, said: Envelope) -> Included:
        block = self._close(tx.encode())
        call = Execution(self.state, block.height, block.time, Account(said.author))
        try:
            done = self._run(call, said.act, said.arguments)
            included = Included(tx, block, said.author, done.result, done.effects, None)
        except CallRefused as refusal:
            included = Included(tx, block, said.author, None, (), refusal)
        self.included[tx] = included
        self.told += [Told(effect, tx, block.height) for effect in included.effects]
        return included

    def _run(self, call: Execution, act: str, arguments: tuple[Any, ...]) -> Executed[Any]:
        contracts = self.contracts
        return contracts.run(call, lambda inner: ACTS[act](contracts, inner, *arguments))

    def _close(self, content: bytes) -> Block:
        """Begin the next block; states that became final leave only the last of them."""
        before = self.head
        digest = sha256(before.hash + self.clock.to_bytes(8) + content)
        block = Block(before.height + 1, self.clock, digest)
        newest = self._states[-1][1]
        if self.depth:
            kept, newest = newest, MemoryState()
            for key, value in kept.items().items():
                newest.put(key, value)
            self._states.append((block.height, newest))
        else:
            self._states = [(block.height, newest)]
        del self._states[: -(self.depth + 1)]
        self.blocks.append(block)
        return block
