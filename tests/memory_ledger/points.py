"""Points, where work has a price: counted as coins are (port `Coins`), and held by nobody.

They come out of nothing: whoever wants some has them.
"""

from __future__ import annotations

from caimi.contracts.execution import Execution
from caimi.contracts.identifiers import Account as Word
from caimi.contracts.identifiers import Currency
from caimi.errors.ledgers import NotOffered
from caimi.ledgers.machine.calls import MachineCall
from caimi.ledgers.port import NEWEST, Account, Asset, At, LedgerId, Money


class Points:
    """What an escrow takes and pays (the contracts' port `HeldCoins`): nobody has less, or more."""

    def take(self, call: Execution, currency: Currency, amount: int) -> None:
        """Take points from somebody, who has as many as they like."""

    def pay(self, call: Execution, to: Word, currency: Currency, amount: int) -> None:
        """Give somebody points, of which they have as many as they like."""


class MemoryPoints:
    """The points of one ledger, and how many a call costs."""

    def __init__(self, ledger: LedgerId, price: int) -> None:
        self.asset = points_of(ledger)
        self.price = self.asset.of(price)

    async def work_price(self) -> Money:
        return self.price

    async def balance(self, account: Account, at: At = NEWEST) -> Money:
        raise self._not_held()

    def transfer(self, recipient: Account, amount: Money) -> MachineCall[None]:
        raise self._not_held()

    def _not_held(self) -> NotOffered:
        return NotOffered(f"Nobody holds points of {self.asset.ledger}.")


def points_of(ledger: LedgerId) -> Asset:
    """Give what fees are counted in."""
    return Asset(ledger, b"", "point", 0)
