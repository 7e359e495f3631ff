"""What the daily cap is counted by: two clocks, of which one may say anything."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caimi.client.refilling.spending import DAY, MAX_PAYMENTS, Clocks, Spending
from caimi.errors.operations import JournalDamaged
from caimi.ledgers.port import Account, Asset, LedgerId

LEDGER = LedgerId("eip155:1")
COIN = Asset(LEDGER, b"", "ETH", 18)
ME, YOU = (Account(LEDGER, bytes([each]) * 20) for each in (1, 2))
CAP = 100
START = 1_700_000_000
HOUR = 3600

skews = st.sampled_from([-DAY, -HOUR, 0, HOUR, DAY]) | st.integers(-DAY, DAY)
lies = st.sampled_from([-START, START]) | st.integers(-3 * DAY, 3 * DAY)
passing = st.sampled_from([0, HOUR, DAY // 2, DAY - 1]) | st.integers(0, DAY)
amounts = st.sampled_from([1, CAP // 2, CAP]) | st.integers(0, 2 * CAP)
machine_is_right = st.booleans()
moments = st.lists(st.tuples(passing, skews, skews, machine_is_right, amounts), max_size=20)
lied_about = machine_is_right.flatmap(
    lambda right: st.lists(st.tuples(passing, lies, lies, st.just(right), amounts), max_size=20)
)


def at(time: int) -> Clocks:
    return Clocks(time, time)


def paid(spending: Spending, clocks: Clocks, units: int, cost: int = 0) -> Spending:
    spending = spending.decided(ME, COIN.of(units))
    return spending.ended(spending.number, clocks, cost)


@given(moments | lied_about)
def test_no_24_hours_see_more_than_the_cap_while_either_clock_is_right(history) -> None:
    spending, now, left = Spending(), START, list[tuple[int, int]]()
    for passed, at_look, at_end, machine_is_right, wanted in history:
        now += passed
        looked = Clocks(now, now + at_look) if machine_is_right else Clocks(now + at_look, now)
        amount = min(wanted, spending.left(CAP, looked))
        if amount:
            ended = Clocks(now, now + at_end) if machine_is_right else Clocks(now + at_end, now)
            spending = Spending.of_facts(json.loads(json.dumps(spending.facts())))
            spending = paid(spending, ended, amount)
            left.append((now, amount))
    for begin, _ in left:
        assert sum(units for when, units in left if begin <= when < begin + DAY) <= CAP


def test_clocks_that_go_back_free_nothing() -> None:
    spending = paid(Spending(), at(START), CAP)
    assert spending.left(CAP, at(START - 30 * DAY)) == 0
    assert spending.left(CAP, Clocks(START, START - 30 * DAY)) == 0


@pytest.mark.parametrize("wrong", [0, START - 3 * DAY, START + 3 * DAY])
def test_a_clock_that_was_wrong_when_something_left_frees_nothing_once_it_is_right(
    wrong: int,
) -> None:
    for clocks in (Clocks(START, wrong), Clocks(wrong, START)):
        spending = paid(Spending(), clocks, CAP)
        assert spending.left(CAP, at(START + DAY - 1)) == 0


def test_what_left_counts_for_24_hours_with_what_sending_it_cost() -> None:
    spending = paid(Spending(), at(START), 90, cost=5)
    assert spending.left(CAP, at(START + DAY - 1)) == 5
    assert spending.received(COIN, at(START)) == {ME: COIN.of(90)}
    assert spending.left(CAP, at(START + DAY)) == CAP
    assert spending.received(COIN, at(START + DAY)) == {}


def test_what_is_decided_counts_before_it_is_signed_and_whatever_the_time_is() -> None:
    spending = Spending().decided(ME, COIN.of(60))
    assert spending.left(CAP, at(START + 1000 * DAY)) == 40
    spending = spending.included(1, 7, cost=3)
    assert spending.left(CAP, at(START)) == 37
    assert spending.dropped(1).left(CAP, at(START)) == CAP


def test_a_clock_that_ran_far_ahead_holds_the_cap_for_a_day_more_and_no_longer() -> None:
    for clocks in (Clocks(START + 7000 * DAY, START), Clocks(START, START + 7000 * DAY)):
        spending = paid(Spending(), clocks, CAP)
        assert spending.left(CAP, at(START + 2 * DAY - 1)) == 0
        assert spending.left(CAP, at(START + 2 * DAY)) == CAP


def test_what_is_too_old_is_let_go_of_and_no_more_is_kept_than_fits() -> None:
    spending = Spending()
    for _ in range(MAX_PAYMENTS):
        spending = paid(spending, at(START), 0)
    assert spending.left(CAP, at(START)) == 0
    later = paid(spending, at(START + DAY), 1)
    assert len(later.paid) == 1


def test_a_clock_that_never_moves_has_no_more_kept_than_can_be_read_again() -> None:
    spending = Spending()
    for day in range(MAX_PAYMENTS + 2):
        spending = paid(spending, Clocks(START + day * DAY, 0), 1)
    assert Spending.of_facts(spending.facts()) == spending
    assert spending.paid[-1].machine == START + (MAX_PAYMENTS + 1) * DAY


def test_what_the_journal_says_comes_back_as_it_was() -> None:
    spending = paid(Spending(), at(START), 7, cost=1).decided(YOU, COIN.of(5))
    spending = spending.included(2, 9, cost=2).decided(ME, COIN.of(10**30))
    assert Spending.of_facts(json.loads(json.dumps(spending.facts()))) == spending
    assert Spending.of_facts({}) == Spending()


@pytest.mark.parametrize(
    "damage",
    [
        {"number": -1},
        {"number": True},
        {"paid": None},
        {"paid": [[1, 1, "zz", 1, 0]]},
        {"paid": [[1, 1, "aa", -1, 0]]},
        {"paid": [[1, 1, "aa", 1.5, 0]]},
        {"paid": [[1, 1, "aa", 1]]},
        {"paid": [[1, 1, "aa", 1, 0]] * (MAX_PAYMENTS + 1)},
        {"open": [[1, "aa", 1]]},
        {"another": 1},
    ],
    ids=str,
)
def test_what_is_no_such_record_is_refused_by_name(damage: dict[str, object]) -> None:
    with pytest.raises(JournalDamaged):
        Spending.of_facts({**Spending().facts(), **damage})
