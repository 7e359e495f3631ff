"""Assets and amounts of them: only amounts of one asset are compared or joined."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import total_ordering

from caimi.errors.ledgers import AmountInvalid
from caimi.ledgers.port.blocks import LedgerId


@dataclass(frozen=True, slots=True)
class Asset:
    """What is paid in on one ledger. `native` is what the ledger has for it, empty for its coin.

    People read amounts in units of 10 to the power of `decimals` of the smallest, as `symbol`.
    """

    ledger: LedgerId
    native: bytes
    symbol: str = field(default="", compare=False)
    decimals: int = field(default=0, compare=False)

    def of(self, units: int) -> Money:
        """Give so many of its smallest units."""
        return Money(self, units)

    def __str__(self) -> str:
        """Show it to whoever does not know its ledger's own writing."""
        return f"{self.ledger}:0x{self.native.hex()}" if self.native else f"coin of {self.ledger}"


@total_ordering
@dataclass(frozen=True, slots=True)
class Money:
    """An amount of an asset in its smallest units, never negative.

    Construction, and joining or comparing amounts of two assets, raise `AmountInvalid`.
    """

    asset: Asset
    units: int

    def __post_init__(self) -> None:
        if self.units < 0:
            raise AmountInvalid(f"{self.units} of the {self.asset} is less than nothing.")

    def __add__(self, other: Money) -> Money:
        return Money(self.asset, self.units + self._alike(other))

    def __sub__(self, other: Money) -> Money:
        return Money(self.asset, self.units - self._alike(other))

    def __lt__(self, other: Money) -> bool:
        return self.units < self._alike(other)

    def __bool__(self) -> bool:
        return self.units > 0

    def _alike(self, other: Money) -> int:
        if other.asset != self.asset:
            raise AmountInvalid(f"The {self.asset} and the {other.asset} are not one asset.")
        return other.units
