"""The coin that a ledger may have of its own."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from caimi.ledgers.port.accounts import Account
from caimi.ledgers.port.calls import Call
from caimi.ledgers.port.heights import NEWEST, At
from caimi.ledgers.port.money import Asset, Money


class Coins(Protocol):
    """The ledger's own coin: who holds how much, what work costs, and handing it on."""

    @property
    def asset(self) -> Asset: ...
    async def balance(self, account: Account, at: At = NEWEST) -> Money: ...
    async def work_price(self) -> Money:
        """Give what a unit of work costs now."""
        ...

    def transfer(self, recipient: Account, amount: Money) -> Call[None]:
        """Send coins; raises `CallInvalid` for any other asset."""
        ...


@runtime_checkable
class IssuedCoins(Coins, Protocol):
    """A coin that a named issuer makes and redeems: what it stands for is owed outside."""

    async def supply(self, at: At = NEWEST) -> Money:
        """Give how much of it there is."""
        ...

    def mint(self, recipient: Account, amount: Money) -> Call[None]:
        """Make units for an account; the issuer only. Raises `CallInvalid` for another asset."""
        ...

    def redeem(self, amount: Money, reference: str) -> Call[None]:
        """Burn units of one's own, for which the issuer pays as `reference` says; raises so."""
        ...
