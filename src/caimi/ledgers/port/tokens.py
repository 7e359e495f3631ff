"""Tokens: assets of a ledger that are other people's contracts, and not its coin.

Whoever wrote a token's contract decides what it answers and does. What is read here is what it says
now; that a payment moved exactly the amount is what the market's own contract checks.
"""

from __future__ import annotations

from typing import Protocol

from caimi.ledgers.port.accounts import Account
from caimi.ledgers.port.calls import Call
from caimi.ledgers.port.heights import NEWEST, At
from caimi.ledgers.port.money import Asset, Money


class Tokens(Protocol):
    """The tokens of one ledger, which its market takes and pays out as it does the coin.

    Each method raises `CallInvalid` for the coin and for assets of other ledgers, and each reading
    one `TokenUnusable` where the contract gives no such answer.
    """

    async def described(self, asset: Asset) -> Asset:
        """Give the token with the symbol and decimals that its own contract tells."""
        ...

    async def balance(self, account: Account, asset: Asset, at: At = NEWEST) -> Money: ...
    async def allowed(self, account: Account, asset: Asset, at: At = NEWEST) -> Money:
        """Tell how much the market may take from an account, which it does when that buys."""
        ...

    def allow(self, amount: Money) -> Call[None]:
        """Let the market take exactly `amount` from the sender, in place of what it could before.

        Some tokens take a new amount only after nothing.
        """
        ...
