"""What a family gives: a ledger's state, blocks and clock, and a place where acts are carried out.

A `Machine` is one ledger as this process has it: where its state is kept, how its blocks are made
and when they are final is the family's; which acts there are, what they do and how they are signed
is the same on every one. Whoever carries acts out, wherever that is, uses `admit` and `perform`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from caimi.chains import InteroperableAddress
from caimi.contracts.deployment import Contracts
from caimi.contracts.execution import Effect, Execution
from caimi.contracts.identifiers import Account as Native
from caimi.contracts.identifiers import InteroperableLedger
from caimi.contracts.site import Site
from caimi.contracts.state import Overlay, State
from caimi.errors.ledgers import CallInvalid, LedgerRefused
from caimi.ibc.path import Path
from caimi.ledgers.client_proofs import EndorsedReads
from caimi.ledgers.machine.acts import ACTS, Act
from caimi.ledgers.machine.calls import MachineCall, SignedAct
from caimi.ledgers.machine.escrow import RelayEscrow
from caimi.ledgers.machine.outcomes import ActOutcome
from caimi.ledgers.machine.rules import ActRules
from caimi.ledgers.machine.typed import flat
from caimi.ledgers.port import (
    NEWEST,
    Account,
    AccountCodec,
    At,
    Block,
    Coins,
    LedgerId,
    Money,
    StandingClock,
)

E = TypeVar("E", bound=Effect)

CONTRACTS: Final = tuple(map(Native, (b"gateway", b"registry", b"bridge", b"market")))
"""What the contracts go by on ledgers where nobody else can have such an account."""


LAPSES_AFTER: Final = 50
"""How many blocks a signed call waits to be taken, unless a family has another `age`."""


@dataclass(frozen=True, slots=True)
class IncludedAct:
    """What became of a call in its block; `fee` is None where nobody pays for work."""

    tx: str
    block: Block
    outcome: ActOutcome
    fee: Money | None = None


@dataclass(frozen=True, slots=True)
class ToldEffect:
    """One effect, and where it came about."""

    effect: Effect
    tx: str
    height: int


class Machine(ABC):
    """One ledger that carries acts out over `caimi.contracts`."""

    id: LedgerId
    contracts: Contracts
    acts: Mapping[str, Act] = ACTS
    escrow: RelayEscrow | None = None
    lapses_after: int = LAPSES_AFTER

    # --- what a family gives --------------------------------------------------------------------

    @property
    @abstractmethod
    def accounts(self) -> AccountCodec:
        """How it writes accounts, and how they sign."""

    @property
    @abstractmethod
    def clock(self) -> int:
        """What everybody agrees the time is, in seconds."""

    @property
    @abstractmethod
    def head(self) -> Block:
        """The newest block."""

    @property
    @abstractmethod
    def final(self) -> Block:
        """The newest block that nothing undoes any more."""

    @abstractmethod
    def block(self, height: int) -> Block:
        """Give a block; raises `LedgerBehind` where there is none."""

    @abstractmethod
    def at(self, at: At) -> State:
        """Give a state to read.

        Raises:
            HistoryGone: it is past, and not kept.
            LedgerBehind: it is to come.
        """

    @abstractmethod
    def told(self, after: int, last: int) -> Iterator[ToldEffect]:
        """Give all effects of blocks (after, last], in order."""

    @abstractmethod
    def told_of(self, kind: type[E], after: int, last: int) -> Iterator[tuple[E, str, int]]:
        """Give the effects of a kind in those blocks, with tx and height."""

    @abstractmethod
    def find(self, tx: str) -> IncludedAct | None:
        """Give what became of a call, or None where it is in no block."""

    @abstractmethod
    async def carry_out(self, signed: SignedAct) -> IncludedAct:
        """Include a call in a block, once however often it comes.

        Raises:
            CallInvalid: it is not the ledger's to carry out, as `admit` says.
            LedgerUnavailable: the ledger cannot be reached.
        """

    def age(self, block: Block) -> int:
        """Give by what acts lapse, as of a block: how many there are, unless a family says else."""
        return block.height

    async def refresh(self) -> None:  # noqa: B027 - what reads the ledger itself is never behind
        """Learn what the ledger has now, where this process only has a copy of it.

        Raises:
            LedgerUnavailable: nobody says.
        """

    async def endorsed_reads(self, paths: Sequence[Path]) -> EndorsedReads:
        """Have several organisations sign what is at paths.

        Raises:
            LedgerRefused: nobody signs what it reads here.
        """
        raise LedgerRefused(f"Of {self.id} nobody signs what was read.")

    async def ready(self) -> None:
        """Make ready for an act that is about to be signed; raises as `refresh`."""
        await self.refresh()

    @property
    def standing_clock(self) -> StandingClock | None:
        """What moves the ledger's time, where it does not pass by itself."""
        return None

    @property
    def coins(self) -> Coins | None:
        """What work is paid in, if it is."""
        return None

    @abstractmethod
    async def check(self) -> None:
        """Check that the ledger is there; raises `LedgerUnavailable` or `WrongLedger`."""

    @abstractmethod
    async def aclose(self) -> None:
        """Let go of what reaches it."""

    # --- what is the same on every one ----------------------------------------------------------

    @property
    def site(self) -> Site:
        """Where its contracts are."""
        return self.contracts.site

    @property
    def rules(self) -> ActRules:
        """Which acts may be carried out, and what they do."""
        return ActRules(self.id, self.contracts, self.accounts, self.acts)

    @property
    def state(self) -> State:
        """The newest state."""
        return self.at(NEWEST)

    def account(self, native: bytes) -> Account:
        """Give the account of native bytes here."""
        return Account(self.id, native)

    def native(self, who: Account) -> Native:
        """Give the native bytes of an account; raises `CallInvalid` for one of another ledger."""
        if who.ledger != self.id:
            raise CallInvalid(f"The account {who} is not of {self.id}.")
        return Native(who.native)

    def ever(self, kind: type[E]) -> Iterator[tuple[E, str, int]]:
        """Give all effects of a kind."""
        return self.told_of(kind, -1, self.head.height)

    def try_out(self, call: MachineCall[object], author: bytes) -> None:
        """Do a call without effect; raises `CallRefused` as it would."""
        arguments = flat(call.arguments)
        assert isinstance(arguments, tuple)
        on = Execution(Overlay(self.state), self.head.height + 1, self.clock, Native(author))
        self.rules.run(on, call.act, arguments)

    def admit(self, signed: SignedAct, height: int) -> None:
        """Let a call pass that may be carried out in the block at `height`.

        Raises:
            CallInvalid: its author did not sign it, it is for another ledger, or it has lapsed.
        """
        self.rules.admit(signed, height)

    def perform(self, signed: SignedAct, state: State, block: Block) -> ActOutcome:
        """Carry out a call that was admitted: what it does is in `state`, or nothing is."""
        return self.rules.perform(signed, state, block.height, block.time)


def site_of(ledger: LedgerId) -> Site:
    """Give the site of a ledger on which the contracts go by what they are."""
    own = InteroperableLedger(InteroperableAddress.from_caip(ledger).to_bytes())
    return Site(own, *CONTRACTS)
