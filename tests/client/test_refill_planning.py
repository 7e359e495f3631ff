"""Whom a treasury gives how much, for any balances, cap and means."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from caimi.client.refilling.planning import Means, RefillLimits, RefillPlan, plan_refills
from caimi.ledgers.port import Account, Asset, LedgerId, Money

LEDGER = LedgerId("eip155:1")
COIN = Asset(LEDGER, b"", "ETH", 18)
UNITS = st.integers(0, 60)


def account(number: int) -> Account:
    return Account(LEDGER, bytes([number]) * 20)


@st.composite
def situations(draw: st.DrawFn) -> tuple[RefillLimits, dict[Account, Money], Means]:
    floor = draw(st.integers(1, 20))
    ceiling = floor + draw(st.integers(1, 20))
    limits = RefillLimits(*map(COIN.of, (floor, ceiling, ceiling + draw(UNITS), 0)))
    held = {account(at): COIN.of(draw(UNITS)) for at in range(draw(st.integers(0, 6)))}
    received = {who: COIN.of(draw(UNITS)) for who in held if draw(st.booleans())}
    of_cap, coins, cost = (COIN.of(draw(each)) for each in (UNITS, UNITS, st.integers(0, 3)))
    return limits, held, Means(of_cap, coins, cost, received)


def means(of_cap: int, coins: int, cost: int = 0, **received: int) -> Means:
    got = {account(int(name[1:])): COIN.of(units) for name, units in received.items()}
    return Means(COIN.of(of_cap), COIN.of(coins), COIN.of(cost), got)


def given_units(plan: RefillPlan) -> dict[Account, int]:
    found = {each.account: each.amount.units for each in plan.refills}
    assert len(found) == len(plan.refills)
    return found


LIMITS = RefillLimits(*map(COIN.of, (5, 20, 100, 100)))


@given(situations())
def test_nobody_gets_beyond_the_ceiling_and_all_no_more_than_the_means(situation) -> None:
    limits, held, has = situation
    got = given_units(plan_refills(limits, held, has))
    assert all(held[who].units + units <= limits.ceiling.units for who, units in got.items())
    taken = sum(got.values()) + len(got) * has.cost.units
    assert taken <= min(has.of_cap.units, has.coins.units)


@given(situations())
def test_those_who_lack_coins_and_nobody_else_are_given_any_and_reach_their_floor(
    situation,
) -> None:
    limits, held, has = situation
    plan = plan_refills(limits, held, has)
    low = {who for who, coins in held.items() if coins < limits.floor}
    assert low == {*given_units(plan), *plan.capped, *plan.short}
    got = given_units(plan)
    assert all(held[who].units + units >= limits.floor.units for who, units in got.items())


@given(situations())
def test_all_reach_their_floors_where_the_means_suffice_for_that(situation) -> None:
    limits, held, has = situation
    plan = plan_refills(limits, held, has)
    low = [coins for coins in held.values() if coins < limits.floor]
    left = min(has.of_cap.units, has.coins.units)
    left -= len(low) * has.cost.units
    if sum(limits.floor.units - coins.units for coins in low) <= left:
        assert (plan.capped, plan.short) == ((), ())
    if sum(limits.ceiling.units - coins.units for coins in low) <= left:
        assert all(
            held[w].units + got == limits.ceiling.units for w, got in given_units(plan).items()
        )


@given(situations())
def test_whoever_goes_without_needs_more_than_what_is_left_beside_the_floors(situation) -> None:
    limits, held, has = situation
    plan = plan_refills(limits, held, has)
    left = min(has.of_cap.units, has.coins.units)
    cost = has.cost.units
    left -= sum(limits.floor.units - held[who].units + cost for who in given_units(plan))
    without = (*plan.capped, *plan.short)
    assert all(limits.floor.units - held[who].units + cost > left for who in without)


def test_floors_come_before_ceilings() -> None:
    held = {account(1): COIN.of(0), account(2): COIN.of(4)}
    plan = plan_refills(LIMITS, held, means(10, 100))
    assert given_units(plan) == {account(1): 9, account(2): 1}


def test_what_sending_costs_is_taken_from_the_means_too() -> None:
    held = {account(1): COIN.of(0), account(2): COIN.of(0)}
    assert sum(given_units(plan_refills(LIMITS, held, means(20, 100, cost=2))).values()) == 16
    assert len(given_units(plan_refills(LIMITS, held, means(13, 100, cost=2)))) == 1


def test_what_stops_a_refill_is_told_apart() -> None:
    held = {account(1): COIN.of(0)}
    assert plan_refills(LIMITS, held, means(4, 100)).capped == (account(1),)
    assert plan_refills(LIMITS, held, means(100, 4)).short == (account(1),)


def test_who_got_less_within_the_day_comes_first() -> None:
    held = {account(1): COIN.of(0), account(2): COIN.of(3)}
    plan = plan_refills(LIMITS, held, means(5, 100, a1=40))
    assert given_units(plan) == {account(2): 5}
    assert plan.capped == (account(1),)
