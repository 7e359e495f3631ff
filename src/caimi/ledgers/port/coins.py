"""The coin that a ledger may have of its own."""

from __future__ import annotations

from typing import Protocol

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
