"""What accounts have, as several nodes of a ledger tell it: one that lies makes nobody paid.

An account is low when every node that answers says so, both of the newest block and of the newest
final one: what is not final may be undone, and what was given since is not given again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from caimi.errors.base import CaimiError
from caimi.errors.treasury import ClockBehind
from caimi.ledgers.port import FINAL, Account, Ledger, Money, offered

T = TypeVar("T")

FUTURE_SECONDS: Final = 3600
"""How far ahead of this machine's clock a block may be."""
TRANSFER_WORK: Final = 50_000
"""What sending coins may take, where work is counted: whose code takes more is not paid."""


@dataclass(frozen=True, slots=True)
class SeenCoins:
    """What the treasury and the accounts have; when, by the ledger; and what a transfer costs."""

    time: int
    treasury: Money
    accounts: Mapping[Account, Money]
    transfer_cost: Money


@dataclass(frozen=True, slots=True)
class Viewpoints:
    """One connection for each of a ledger's nodes, and how many must answer; None for every one.

    Transactions go through the first.
    """

    views: tuple[Ledger, ...]
    quorum: int | None = None

    @property
    def first(self) -> Ledger:
        """The ledger's own node."""
        return self.views[0]

    async def look(
        self, treasury: Account, accounts: Sequence[Account], floor: Money, clock: int
    ) -> SeenCoins:
        """Ask all nodes; of the treasury the least counts that any tells, of accounts the most.

        Raises:
            LedgerUnavailable…: too few nodes answer; what the first of the others said.
            ClockBehind: a block is of a time that is still to come.
        """
        answers = await asyncio.gather(
            *(_newest(view, treasury, accounts) for view in self.views), return_exceptions=True
        )
        seen = self._enough(answers)
        time = min(each.time for each in seen)
        if time > clock + FUTURE_SECONDS:
            raise ClockBehind(
                f"The newest block of {self.first.id} is {time - clock} s ahead of this machine."
            )
        most = {each: max(view.accounts[each] for view in seen) for each in accounts}
        low = [each for each in accounts if most[each] < floor]
        if low:
            final = self._enough(
                await asyncio.gather(
                    *(_final(view, low) for view in self.views), return_exceptions=True
                )
            )
            most |= {each: max(most[each], *(view[each] for view in final)) for each in low}
        return SeenCoins(
            time,
            min(each.treasury for each in seen),
            most,
            max(each.transfer_cost for each in seen),
        )

    def _enough(self, answers: Sequence[T | BaseException]) -> list[T]:
        seen = [each for each in answers if not isinstance(each, BaseException)]
        failures = [each for each in answers if isinstance(each, BaseException)]
        grave = [each for each in failures if not isinstance(each, CaimiError)]
        if grave or len(seen) < (self.quorum or len(self.views)):
            raise [*grave, *failures][0]
        return seen


async def _newest(view: Ledger, treasury: Account, accounts: Sequence[Account]) -> SeenCoins:
    coins = offered(view.coins, view.id, "coin")
    (head, price), (own, *held) = await asyncio.gather(
        asyncio.gather(view.head(), coins.work_price()),
        asyncio.gather(*(coins.balance(each) for each in (treasury, *accounts))),
    )
    cost = coins.asset.of(price.units * TRANSFER_WORK)
    return SeenCoins(head.time, own, dict(zip(accounts, held, strict=True)), cost)


async def _final(view: Ledger, accounts: Sequence[Account]) -> dict[Account, Money]:
    coins = offered(view.coins, view.id, "coin")
    held = await asyncio.gather(*(coins.balance(each, FINAL) for each in accounts))
    return dict(zip(accounts, held, strict=True))
