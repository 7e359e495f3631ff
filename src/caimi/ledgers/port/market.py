"""Licences: prices and grants at home, payment anywhere.

A market on a ledger without a coin grants, revokes, and sells for what is paid elsewhere; what
would be paid or paid out on that ledger itself is refused as `NotOffered`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from caimi.errors.ledgers import CallInvalid
from caimi.ledgers.port.accounts import Account
from caimi.ledgers.port.calls import Call
from caimi.ledgers.port.heights import NEWEST, At
from caimi.ledgers.port.money import Asset, Money


@dataclass(frozen=True, slots=True)
class Price:
    """One price: how much in an asset of the ledger that it is paid on, and to whom there.

    Construction raises `CallInvalid` where the payee is of another ledger than the asset.
    """

    amount: Money
    payee: Account
    offered: bool = True

    def __post_init__(self) -> None:
        if self.payee.ledger != self.amount.asset.ledger:
            raise CallInvalid(f"The {self.amount.asset} is not paid to {self.payee}.")


class PurchaseState(Enum):
    """Where a cross-ledger purchase stands."""

    NONE = 0
    PENDING = 1
    COMPLETED = 2
    REFUNDED = 3


@dataclass(frozen=True, slots=True)
class Purchase:
    """A purchase as the paying ledger's market knows it; one that it does not know has no buyer.

    The licence is for the reader; what comes back is the buyer's. `paid` is None on ledgers where
    nothing is.
    """

    purchase_id: bytes
    buyer: Account | None
    reader: Account | None
    state: PurchaseState
    model_id: bytes
    version_id: bytes
    paid: Money | None


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
    """Licences: prices and grants at home, payment anywhere. A consumer is of any ledger.

    Who buys names the reader, whose licence it is to be, or buys for themselves.
    """

    def set_prices(self, model_id: bytes, prices: Sequence[Price]) -> Call[None]:
        """Set or withdraw prices. Each is paid to its payee, whom this ledger cannot look up."""
        ...

    async def price(self, model_id: bytes, asset: Asset, at: At = NEWEST) -> Price | None:
        """Give the price payable in `asset`, or None when it is not for sale for that."""
        ...

    def buy(
        self, model_id: bytes, version: str, price: Money, reader: Account | None = None
    ) -> Call[bytes]:
        """Buy a licence where the model lives; the effect is the licence's id."""
        ...

    async def relay_deposit(self) -> Money:
        """Give what a purchase from here pays, in the ledger's coin, to whoever brings its end.

        Raises:
            NotOffered: the ledger has no coin, so that nothing is bought, sold or paid out on it.
        """
        ...

    async def buy_remote(
        self,
        client_id: str,
        model_id: bytes,
        version: str,
        price: Money,
        expiry: int,
        reader: Account | None = None,
        *,
        deposit: Money | None = None,
    ) -> Call[bytes]:
        """Buy a licence of a model behind `client_id`; the call pays the relay deposit too.

        That is `deposit`, and the call fails where the market asks for another; without it, what is
        asked now. Its effect is the purchase's id.
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
        self,
        client_id: str,
        model_id: bytes,
        version: str,
        buyer: Account,
        reader: Account | None = None,
        at: At = NEWEST,
    ) -> Purchase | None:
        """Give the buyer's pending or completed purchase of a version for a reader, if any."""
        ...

    async def owed(self, account: Account, asset: Asset | None = None, at: At = NEWEST) -> Money:
        """Tell what `account` can withdraw, in the ledger's coin unless another asset is named."""
        ...

    def withdraw(self, to: Account, asset: Asset | None = None) -> Call[None]:
        """Pay out to `to` what the market owes the sender, in that asset or the coin."""
        ...
