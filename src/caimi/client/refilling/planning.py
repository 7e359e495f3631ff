"""Whom a treasury gives how much: arithmetic alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from caimi.ledgers.port import Account, Money


@dataclass(frozen=True, slots=True)
class RefillLimits:
    """Who has less than `floor` is filled up to `ceiling`; a day no more than `daily_cap` leaves.

    `low` is what the treasury should have at least.
    """

    floor: Money
    ceiling: Money
    daily_cap: Money
    low: Money


@dataclass(frozen=True, slots=True)
class Means:
    """What there is to give: what is left of the day's cap, and the treasury's coins.

    Of both each refill takes its amount and its `cost`. `received` is what accounts got within the
    day: who got less comes first.
    """

    of_cap: Money
    coins: Money
    cost: Money
    received: Mapping[Account, Money]


@dataclass(frozen=True, slots=True)
class PlannedRefill:
    """So many coins for an account."""

    account: Account
    amount: Money


@dataclass(frozen=True, slots=True)
class RefillPlan:
    """Who is given what, and who is left without: by the cap, or since the treasury lacks it."""

    refills: tuple[PlannedRefill, ...] = ()
    capped: tuple[Account, ...] = ()
    short: tuple[Account, ...] = ()


def plan_refills(limits: RefillLimits, held: Mapping[Account, Money], means: Means) -> RefillPlan:
    """Choose refills for accounts that have what `held` says.

    Nobody gets beyond the ceiling, and all get no more than the means. Who is given something
    reaches the floor; all do where the means suffice, and only what is left then fills up further.
    """
    none = limits.floor.asset.of(0)
    low = sorted(
        (account for account, coins in held.items() if coins < limits.floor),
        key=lambda each: (means.received.get(each, none), held[each], each.native),
    )
    left, given = min(means.of_cap, means.coins), dict[Account, Money]()
    for account in low:
        needed = limits.floor - held[account]
        if needed + means.cost <= left:
            given[account] = needed
            left -= needed + means.cost
    for account in given:
        more = min(limits.ceiling - limits.floor, left)
        given[account] += more
        left -= more
    without = tuple(account for account in low if account not in given)
    stopped_by_cap = means.of_cap <= means.coins
    return RefillPlan(
        tuple(PlannedRefill(account, amount) for account, amount in given.items()),
        without if stopped_by_cap else (),
        () if stopped_by_cap else without,
    )
