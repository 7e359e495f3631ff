"""What is true of one ledger: its state, blocks, clock and finality, and who did what in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from caimi.chains import InteroperableAddress
from caimi.contracts.deployment import Contracts
from caimi.contracts.execution import Effect, Executed, Execution
from caimi.contracts.identifiers import Account, InteroperableLedger
from caimi.contracts.site import SignedPublication, Site
from caimi.contracts.state import Overlay, State
from caimi.errors.ledgers import CallInvalid, CallRefused, HistoryGone, LedgerBehind
from caimi.hashing import sha256
from caimi.ledgers.machine.acts import ACTS, Act
from caimi.ledgers.machine.calls import Envelope, MemoryCall, Signed
from caimi.ledgers.machine.escrow import RelayEscrow
from caimi.ledgers.machine.machine import Included, Told
from caimi.ledgers.port import NEWEST, At, Block, Exactly, LedgerId, Signer
from caimi.ledgers.port import Account as LedgerAccount
from memory_ledger.mailbox import PORT, Mailbox
from memory_ledger.points import MemoryPoints
from memory_ledger.states import States
from memory_ledger.tellings import Tellings
from memory_ledger.words import MemoryAccounts, Wallet, WordBook, publication_digest

START: Final = 1_700_000_000
CONTRACTS: Final = (b"gateway", b"registry", b"bridge", b"market")
E = TypeVar("E", bound=Effect)


@dataclass
class MemoryChain:
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
    included: dict[str, Included] = field(default_factory=dict)
    told: Tellings = field(default_factory=Tellings)

    def __post_init__(self) -> None:
        self.id = LedgerId(f"local:{self.name}")
        ledger = InteroperableLedger(InteroperableAddress.from_caip(self.id).to_bytes())
        self.site = Site(ledger, *(Account(word) for word in CONTRACTS))
        self.contracts = Contracts.over(self.site, self.book)
        gateway = self.contracts.gateway
        self.mailbox, self.escrow = Mailbox(gateway), RelayEscrow(gateway)
        gateway.applications.install(self.mailbox)
        self._acts = ACTS | {name: _own(act) for name, act in self._own_acts().items()}
        self._states, self._final, self._forks = States(), 0, 0
        self.blocks.append(Block(0, self.clock, sha256(self.id.encode())))
        self.admin, self.guardian = self.enrol("admin"), self.enrol("guardian")
        founder, guardian = Account(self.admin.account), Account(self.guardian.account)
        first = Execution(self.state, 0, self.clock, founder)
        self.contracts.found(first, founder, guardian)
        gateway.applications.add(first, PORT, self.mailbox.account)

    def account(self, word: bytes) -> LedgerAccount:
        """Give the account of a word here."""
        return LedgerAccount(self.id, word)

    def native(self, who: LedgerAccount) -> Account:
        """Give the word of an account here; raises `CallInvalid` for one of another ledger."""
        if who.ledger != self.id:
            raise CallInvalid(f"The account {who} is not of {self.id}.")
        return Account(who.native)

    @property
    def accounts(self) -> MemoryAccounts:
        return MemoryAccounts(self.id, self.book)

    @property
    def coins(self) -> MemoryPoints | None:
        """Points, where work has a price."""
        return None if self.work_price is None else MemoryPoints(self.id, self.work_price)

    def publication_digest(self, publication: SignedPublication) -> bytes:
        return publication_digest(publication)

    # --- reading --------------------------------------------------------------------------------

    @property
    def head(self) -> Block:
        return self.blocks[-1]

    @property
    def final(self) -> Block:
        return self.blocks[self._final]

    @property
    def state(self) -> State:
        """The newest state."""
        return self._states.newest

    def at(self, at: At) -> State:
        """Give a state to read.

        Raises:
            HistoryGone: it is past.
            LedgerBehind: it is to come.
        """
        if at is NEWEST:
            return self.state
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

    def ever(self, kind: type[E]) -> Iterator[tuple[E, str, int]]:
        """Give all effects of a kind."""
        return self.told.of(kind, -1, self.head.height)

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
        if said.ledger != self.id or said.act not in self._acts:
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

    def begin(self, act: str, *arguments: object) -> Any:
        """Have the administrator do something in the first block, before there is another."""
        assert self.head.height == 0, "It has begun already."
        first = Execution(self.state, 0, self.clock, Account(self.admin.account))
        return self._run(first, act, arguments).result

    def undo(self, blocks: int) -> None:
        """Fork: take the newest blocks back, and what was in them; as deep as states are kept."""
        height = self.head.height - blocks
        self._states.undo(height)
        self.told.undo(height)
        del self.blocks[height + 1 :]
        self.included = {
            tx: each for tx, each in self.included.items() if each.block.height <= height
        }
        self._final = min(self._final, height)
        self._forks += 1

    def enrol(self, word: str) -> Wallet:
        """Give somebody an account."""
        wallet = Wallet(word.encode())
        self.book.enrol(wallet)
        return wallet

    def count(self, signer: Signer) -> int:
        """Tell how many calls of an account were included."""
        return sum(each.author == signer.account for each in self.included.values())

    def _own_acts(self) -> dict[str, Act]:
        """Give what can be done besides with CAIMI's contracts."""
        escrow = self.escrow
        return {
            "post": self.mailbox.post,
            "escrow": escrow.escrow,
            "claim": escrow.claim,
            "refund": escrow.refund,
            "reclaim": escrow.reclaim,
            "withdraw points": escrow.withdraw,
        }

    def _include(self, tx: str, said: Envelope) -> Included:
        block = self._close(tx.encode())
        call = Execution(self.state, block.height, block.time, Account(said.author))
        fee = None if self.coins is None else self.coins.price
        try:
            done = self._run(call, said.act, said.arguments)
            included = Included(tx, block, said.author, done.result, done.effects, None, fee)
        except CallRefused as refusal:
            included = Included(tx, block, said.author, None, (), refusal, fee)
        self.included[tx] = included
        for effect in included.effects:
            self.told.add(Told(effect, tx, block.height))
        return included

    def _run(self, call: Execution, act: str, arguments: tuple[Any, ...]) -> Executed[Any]:
        contracts, done = self.contracts, self._acts[act]
        return contracts.run(call, lambda inner: done(contracts, inner, *arguments))

    def _close(self, content: bytes) -> Block:
        """Begin the next block; states that became final leave only the last of them."""
        before, forks = self.head, self._forks.to_bytes(8)
        digest = sha256(before.hash + self.clock.to_bytes(8) + forks + content)
        block = Block(before.height + 1, self.clock, digest)
        self._final = max(self._final, block.height - self.depth)
        self._states.grow(0 if self.keeps_past else self._final)
        self.blocks.append(block)
        return block


def _own(act: Act) -> Act:
    return lambda _contracts, call, *arguments: act(call, *arguments)
