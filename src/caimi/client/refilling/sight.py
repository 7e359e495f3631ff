"""How a treasury and its accounts stand, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from caimi.client.refilling.looking import SeenCoins
from caimi.client.refilling.planning import Means, PlannedRefill, RefillPlan, plan_refills
from caimi.client.refilling.recipients import TreasuryTerms
from caimi.client.refilling.spending import Clocks, Spending
from caimi.ledgers.port import Account, Money


@dataclass(frozen=True, slots=True)
class TreasurySight:
    """What was seen of a treasury's coins, and what it had spent, `now` by two clocks.

    Whoever is in `settled` gets nothing more in this round.
    """

    terms: TreasuryTerms
    seen: SeenCoins
    spending: Spending
    now: Clocks
    settled: frozenset[Account] = field(default=frozenset())

    @property
    def spent(self) -> Money:
        """What left within 24 hours, with what sending it cost."""
        return self._coins(self.spending.spent(self.now))

    @property
    def left(self) -> Money:
        """What may leave besides."""
        return self._coins(self.spending.left(self.terms.limits.daily_cap.units, self.now))

    @property
    def draining(self) -> bool:
        """Whether the treasury has less than it should have."""
        return self.seen.treasury < self.terms.limits.low

    @property
    def low(self) -> tuple[Account, ...]:
        """Who has less than the floor."""
        floor = self.terms.limits.floor
        return tuple(who for who, coins in self.seen.accounts.items() if coins < floor)

    @property
    def open(self) -> tuple[PlannedRefill, ...]:
        """What was decided and is not final yet: whom it is for is given nothing else."""
        ledger = self.terms.account.ledger
        return tuple(
            PlannedRefill(Account(ledger, bytes.fromhex(each.account)), self._coins(each.units))
            for each in self.spending.open
        )

    @property
    def plan(self) -> RefillPlan:
        """Who is to be given what, besides what is open."""
        settled = self.settled | {each.account for each in self.open}
        waiting = {who: held for who, held in self.seen.accounts.items() if who not in settled}
        received = self.spending.received(self.left.asset, self.now)
        means = Means(self.left, self.seen.treasury, self.seen.transfer_cost, received)
        return plan_refills(self.terms.limits, waiting, means)

    def with_open(self, spending: Spending) -> TreasurySight:
        """Give what there is once it was seen to what is open; who waited for it is settled."""
        settled = self.settled | {each.account for each in self.open}
        return replace(self, spending=spending, settled=settled)

    def after(self, account: Account, spending: Spending, taken: Money) -> TreasurySight:
        """Give what there is once an account is settled, which took so much of the treasury."""
        treasury = self._coins(max(0, self.seen.treasury.units - taken.units))
        return replace(
            self,
            seen=replace(self.seen, treasury=treasury),
            spending=spending,
            settled=self.settled | {account},
        )

    def _coins(self, units: int) -> Money:
        return self.terms.limits.floor.asset.of(units)
