"""What a relayer asks for carrying one packet, paid at the ledger that sends it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from caimi.errors.messaging import InvalidTariff
from caimi.ledgers.port import Ledger, Money, offered

# One packet alone, 13 of 19 validators, on EVM ledgers: delivered there; acknowledged and its fee
# collected here. What applications themselves do with a packet comes on top.
DELIVERY_WORK: Final = 300_000
ENDING_WORK: Final = 350_000


@dataclass(frozen=True, slots=True)
class Tariff:
    """How an operator prices one route.

    `price_ratio` is how many of the sending ledger's smallest coin one of the destination's is
    worth, `margin` what is added to the costs in percent, `minimum` what is asked for at least.

    Construction raises `InvalidTariff` for a ratio that is not positive, or negative numbers.
    """

    price_ratio: Fraction = Fraction(1)
    margin: int = 20
    minimum: int = 0
    delivery_work: int = DELIVERY_WORK
    ending_work: int = ENDING_WORK

    def __post_init__(self) -> None:
        if self.price_ratio <= 0 or min(self.margin, self.minimum) < 0:
            raise InvalidTariff(
                f"A price ratio of {self.price_ratio} with a margin of {self.margin} % and a "
                f"minimum of {self.minimum} is no tariff."
            )
        if min(self.delivery_work, self.ending_work) < 0:
            raise InvalidTariff("Work is not negative.")

    def fee(self, delivery_price: int, ending_price: int) -> int:
        """Give the fee, in the sending ledger's smallest coin, for work at these prices.

        `delivery_price` is of a unit of work at the destination in its own smallest coin,
        `ending_price` of one at the sending ledger.
        """
        delivery = self.price_ratio * self.delivery_work * delivery_price
        cost = delivery + self.ending_work * ending_price
        fee = cost * (100 + self.margin) / 100
        return max(self.minimum, -(-fee.numerator // fee.denominator))


async def quote(source: Ledger, destination: Ledger, tariff: Tariff) -> Money:
    """Give the fee for a packet from `source` to `destination` at their present prices."""
    there = await offered(destination.coins, destination.id, "coin").work_price()
    coins = offered(source.coins, source.id, "coin")
    here = await coins.work_price()
    return coins.asset.of(tariff.fee(there.units, here.units))
