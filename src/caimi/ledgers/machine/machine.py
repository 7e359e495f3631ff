"""What a family gives: a ledger's state, blocks and clock, and a way to have acts carried out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from caimi.contracts.deployment import Contracts
from caimi.contracts.execution import Effect
from caimi.contracts.identifiers import Account
from caimi.contracts.site import SignedPublication, Site
from caimi.contracts.state import State
from caimi.errors.ledgers import CallRefused
from caimi.ledgers.machine.calls import MemoryCall, Signed
from caimi.ledgers.machine.escrow import RelayEscrow
from caimi.ledgers.port import Account as LedgerAccount
from caimi.ledgers.port import AccountCodec, At, Block, Coins, LedgerId, Money

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
    fee: Money | None


@dataclass(frozen=True, slots=True)
class Told:
    """One effect, and where it came about."""

    effect: Effect
    tx: str
    height: int


class Effects(Protocol):
    """All effects of a ledger's calls, in the order of the blocks."""

    @property
    def all(self) -> Sequence[Told]:
        """Every one of them."""

    def of(self, kind: type[E], from_height: int, to_height: int) -> Iterator[tuple[E, str, int]]:
        """Give the effects of a kind in blocks (from_height, to_height], with tx and height."""


class Machine(Protocol):
    """One ledger that carries acts out over `caimi.contracts`."""

    @property
    def id(self) -> LedgerId:
        """Its CAIP-2 id."""

    @property
    def site(self) -> Site:
        """Where its contracts are."""

    @property
    def contracts(self) -> Contracts:
        """What carries acts out."""

    @property
    def escrow(self) -> RelayEscrow:
        """What relayers are paid from."""

    @property
    def accounts(self) -> AccountCodec:
        """How it writes accounts."""

    @property
    def coins(self) -> Coins | None:
        """What work is paid in, if it is."""

    @property
    def included(self) -> Mapping[str, Included]:
        """What became of calls, by their names."""

    @property
    def told(self) -> Effects:
        """What they told."""

    @property
    def clock(self) -> int:
        """What everybody agrees the time is, in seconds."""

    @property
    def head(self) -> Block:
        """The newest block."""

    @property
    def final(self) -> Block:
        """The newest that is final."""

    @property
    def state(self) -> State:
        """The newest state."""

    def at(self, at: At) -> State:
        """Give a state to read; raises `HistoryGone` or `LedgerBehind`."""

    def block(self, height: int) -> Block:
        """Give a block; raises `LedgerBehind` where there is none."""

    def account(self, word: bytes) -> LedgerAccount:
        """Give an account here by its native bytes."""

    def native(self, who: LedgerAccount) -> Account:
        """Give the native bytes of an account here; raises `CallInvalid` for one of another."""

    def ever(self, kind: type[E]) -> Iterator[tuple[E, str, int]]:
        """Give all effects of a kind."""

    def publication_digest(self, publication: SignedPublication) -> bytes:
        """Give what a publisher signs of a publication."""

    def try_out(self, call: MemoryCall[object], author: bytes) -> None:
        """Make a call without effect; raises `CallRefused` as it would."""

    def take(self, signed: Signed) -> Included:
        """Include a call in a block, once however often it comes; raises `CallInvalid`."""
