"""What left a treasury, and when: what the daily cap is counted by.

Two clocks are asked, this machine's and the ledger's. A payment is dated by both. It counts while
either is within 24 hours of its own date, and until the earlier of them is 24 hours past the later
date. So no 24 hours see more than the cap while one clock is right, whatever the other does, or
while now this one is right and now that one, and the other within a day.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass, replace
from typing import Annotated, Final, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StringConstraints, ValidationError

from caimi.errors.operations import JournalDamaged
from caimi.ledgers.port import Account, Asset, Money

DAY: Final = 24 * 3600
MAX_PAYMENTS: Final = 1000
"""Of one treasury within a day: beyond them nothing is paid, as beyond the cap."""

_Units: TypeAlias = Annotated[StrictInt, Field(ge=0)]
_Native: TypeAlias = Annotated[
    str, StringConstraints(strict=True, pattern=r"^([0-9a-f]{2}){1,128}$")
]


class _Kept(BaseModel):
    """What is written down of a treasury."""

    model_config = ConfigDict(extra="forbid")

    number: _Units
    open: Annotated[
        tuple[tuple[_Units, _Native, _Units, _Units | None, _Units], ...],
        Field(max_length=MAX_PAYMENTS),
    ]
    paid: Annotated[
        tuple[tuple[_Units, _Units, _Native, _Units, _Units], ...], Field(max_length=MAX_PAYMENTS)
    ]


@dataclass(frozen=True, slots=True)
class Clocks:
    """What this machine and the ledger say the time is, in Unix seconds."""

    machine: int
    ledger: int

    @property
    def later(self) -> int:
        """What a payment is dated by: a clock that runs far ahead adds no more than a day."""
        return min(max(self.machine, self.ledger), self.earlier + DAY)

    @property
    def earlier(self) -> int:
        """What a payment's age is told by, besides by each clock alone."""
        return min(self.machine, self.ledger)

    def count(self, payment: Payment) -> bool:
        """Tell whether a payment is no more than 24 hours old."""
        dated = Clocks(payment.machine, payment.ledger)
        passed = (self.machine - dated.machine, self.ledger - dated.ledger)
        return self.earlier < dated.later + DAY or any(-DAY < each < DAY for each in passed)


@dataclass(frozen=True, slots=True)
class Payment:
    """What an account (its native bytes, in hex) got, and what that cost, in smallest coins.

    `machine` and `ledger` are when, by each of the clocks.
    """

    machine: int
    ledger: int
    account: str
    units: int
    cost: int


@dataclass(frozen=True, slots=True)
class OpenPayment:
    """A payment that was decided and is not final yet; `height` is where it is included.

    What sending it cost is known from then on.
    """

    number: int
    account: str
    units: int
    height: int | None = None
    cost: int = 0


@dataclass(frozen=True, slots=True)
class Spending:
    """The payments that may count still; `number` is of the newest that was ever decided."""

    number: int = 0
    open: tuple[OpenPayment, ...] = ()
    paid: tuple[Payment, ...] = ()

    def spent(self, now: Clocks) -> int:
        """Give how many coins left within the day before `now`, with what sending them cost."""
        return sum(each.units + each.cost for each in self._all(now))

    def left(self, cap: int, now: Clocks) -> int:
        """Give what may leave besides."""
        if len(self._all(now)) >= MAX_PAYMENTS:
            return 0
        return max(0, cap - self.spent(now))

    def received(self, asset: Asset, now: Clocks) -> dict[Account, Money]:
        """Give what accounts got within the day before `now`."""
        units: dict[str, int] = {}
        for each in self._all(now):
            units[each.account] = units.get(each.account, 0) + each.units
        return {
            Account(asset.ledger, bytes.fromhex(account)): asset.of(amount)
            for account, amount in units.items()
        }

    def decided(self, account: Account, amount: Money) -> Spending:
        """Take a decision to pay down, before anything is signed."""
        payment = OpenPayment(self.number + 1, account.native.hex(), amount.units)
        return replace(self, number=payment.number, open=(*self.open, payment))

    def included(self, number: int, height: int, cost: int) -> Spending:
        """Note that an open payment is included, which is not final yet."""
        noted = tuple(
            replace(each, height=height, cost=cost) if each.number == number else each
            for each in self.open
        )
        return replace(self, open=noted)

    def ended(self, number: int, clocks: Clocks, cost: int) -> Spending:
        """Date an open payment, which left or may have left, and let go of what is too old."""
        (payment,) = (each for each in self.open if each.number == number)
        dated = Payment(clocks.machine, clocks.ledger, payment.account, payment.units, cost)
        kept = (*self._counting(clocks), dated)
        return replace(self.dropped(number), paid=kept[-MAX_PAYMENTS:])

    def dropped(self, number: int) -> Spending:
        """Forget an open payment of which nothing was ever signed."""
        return replace(self, open=tuple(each for each in self.open if each.number != number))

    def _all(self, now: Clocks) -> tuple[OpenPayment | Payment, ...]:
        return (*self.open, *self._counting(now))

    def _counting(self, now: Clocks) -> tuple[Payment, ...]:
        return tuple(each for each in self.paid if now.count(each))

    def facts(self) -> dict[str, object]:
        """Give it as facts of a journal."""
        return {
            "number": self.number,
            "open": [list(astuple(each)) for each in self.open],
            "paid": [list(astuple(each)) for each in self.paid],
        }

    @classmethod
    def of_facts(cls, facts: Mapping[str, object]) -> Spending:
        """Take it from facts of a journal; from none, nothing was ever paid.

        Raises:
            JournalDamaged: they are not what `facts` gives.
        """
        if not facts:
            return cls()
        try:
            found = _Kept.model_validate(dict(facts))
        except ValidationError as error:
            raise JournalDamaged("What the journal says of a treasury is not whole.") from error
        return cls(
            found.number,
            tuple(OpenPayment(*each) for each in found.open),
            tuple(Payment(*each) for each in found.paid),
        )
