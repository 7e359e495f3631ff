"""Licences: prices and grants at home, payment anywhere.

A market on a ledger without a coin grants and revokes; what sets a price, pays or pays out is
refused there as `NotOffered`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from caimi.ledgers.port.accounts import Account
from caimi.ledgers.port.blocks import LedgerId
from caimi.ledgers.port.calls import Call
from caimi.ledgers.port.heights import NEWEST, At


@dataclass(frozen=True, slots=True)
class Price:
    """One price. `ledger` is the paying ledger; `currency` empty is its native coin."""

    ledger: LedgerId
    currency: bytes
    amount: int
    offered: bool = True


class PurchaseState(Enum):
    """Where a cross-ledger purchase stands."""

    NONE = 0
    PENDING = 1
    COMPLETED = 2
    REFUNDED = 3


@dataclass(frozen=True, slots=True)
class Purchase:
    """A purchase as the paying ledger's market knows it; one that it does not know has no buyer."""

    purchase_id: bytes
    buyer: Account | None
    state: PurchaseState
    model_id: bytes
    version_id: bytes
    currency: bytes
    amount: int


@dataclass(frozen=True, slots=True)
class Licence:
    """A consumer's right to a version, as the home ledger knows it."""

    licence_id: bytes
    granted_at: int
    revoked: bool

    @property
    def live(self) -> bool:
        """Whether custodians honour it."""
        return self.granted_at > 0 and not self.revoked


class Market(Protocol):
    """Licences: prices and grants at home, payment anywhere. A consumer is of any ledger."""

    def set_prices(self, model_id: bytes, prices: Sequence[Price]) -> Call[None]: ...
    async def price(
        self, model_id: bytes, ledger: LedgerId, currency: bytes = b"", at: At = NEWEST
    ) -> int | None:
        """Give the price payable on `ledger`, or None when it is not for sale there."""
        ...

    def buy(self, model_id: bytes, version: str, currency: bytes, amount: int) -> Call[bytes]:
        """Buy a licence where the model lives; the effect is the licence's id."""
        ...

    async def relay_deposit(self) -> int:
        """Give what a purchase from here pays, in native coins, to whoever brings its end.

        Raises:
            NotOffered: the ledger has no coin, so that nothing is bought, sold or paid out on it.
        """
        ...

    async def buy_remote(
        self,
        client_id: str,
        model_id: bytes,
        version: str,
        currency: bytes,
        amount: int,
        expiry: int,
    ) -> Call[bytes]:
        """Buy a licence of a model behind `client_id`; the call pays the relay deposit too.

        Its effect is the purchase's id.
        """
        ...

    def grant(self, model_id: bytes, version: str, consumer: Account) -> Call[bytes]:
        """Give a licence without payment; the effect is its id."""
        ...

    def revoke(self, licence_id: bytes) -> Call[None]: ...
    async def licence(
        self, model_id: bytes, version: str, consumer: Account, at: At = NEWEST
    ) -> Licence: ...
    async def tally(self, model_id: bytes, at: At = NEWEST) -> tuple[int, bytes]:
        """Give how many licences of a model are live, and the digest over all there ever were."""
        ...

    async def purchase(self, purchase_id: bytes, at: At = NEWEST) -> Purchase: ...
    async def purchase_of(
        self, client_id: str, model_id: bytes, version: str, buyer: Account, at: At = NEWEST
    ) -> Purchase | None:
        """Give the buyer's pending or completed purchase of this version, if any."""
        ...

    async def owed(self, account: Account, currency: bytes = b"", at: At = NEWEST) -> int: ...
    def withdraw(self, to: Account, currency: bytes = b"") -> Call[None]:
        """Pay out to `to` what the market owes the sender."""
        ...
