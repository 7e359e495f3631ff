"""Units of an issuer: none is lost, none comes from nowhere, and nobody moves another's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caimi.contracts.accounting import MAX_BITS, AccountingAsset
from caimi.contracts.execution import Execution
from caimi.contracts.identifiers import COIN, Account, Currency, InteroperableLedger
from caimi.contracts.site import Site
from caimi.contracts.state import MemoryState, Overlay
from caimi.errors.ledgers import CallRefused

ISSUER = Account(b"issuer")
SITE = Site(
    InteroperableLedger(b""), *map(Account, (b"gateway", b"registry", b"bridge", b"market"))
)
MARKET = SITE.market
PEOPLE = [Account(b"alice"), Account(b"bob"), ISSUER]


class Words:
    """Accounts that are anything."""

    def is_account(self, native: bytes) -> bool:
        return bool(native)

    def signed(self, publication: object, signature: bytes) -> bool:
        return False


def units() -> AccountingAsset:
    return AccountingAsset(ISSUER, Words(), SITE)


def call(state: MemoryState | Overlay, who: Account) -> Execution:
    return Execution(state, 1, 1, who)


people = st.sampled_from(PEOPLE)
amounts = st.integers(-1, 40) | st.just(1 << MAX_BITS) | st.just((1 << MAX_BITS) - 1)
steps = st.one_of(
    st.tuples(st.just("mint"), people, people | st.sampled_from(SITE.contracts), amounts),
    st.tuples(st.just("move"), people, people | st.sampled_from(SITE.contracts), amounts),
    st.tuples(st.just("redeem"), people, people, amounts),
    st.tuples(st.just("take"), people, people, amounts),
    st.tuples(st.just("pay"), people, people | st.sampled_from(SITE.contracts), amounts),
)


@given(st.lists(steps, max_size=40))
def test_what_there_is_is_what_all_hold_whatever_is_tried(trace):
    state, asset = MemoryState(), units()
    held = dict.fromkeys([*PEOPLE, MARKET], 0)
    for step, who, to, amount in trace:
        frame = Overlay(state)
        on = call(frame, who)
        try:
            match step:
                case "mint":
                    asset.mint(on, to, amount)
                    assert who == ISSUER
                    held[to] += amount
                case "move":
                    asset.move(on, to, amount)
                    held[who] -= amount
                    held[to] += amount
                case "redeem":
                    asset.redeem(on, amount, "wire 7")
                    held[who] -= amount
                case "take":
                    asset.take(on, COIN, amount)
                    held[who] -= amount
                    held[MARKET] += amount
                case "pay":
                    asset.pay(on, to, COIN, amount)
                    held[MARKET] -= amount
                    held[to] += amount
        except CallRefused:
            continue
        frame.commit()
    for each, amount in held.items():
        assert asset.balance(state, each) == amount >= 0
    assert asset.supply(state) == sum(held.values()) < 1 << MAX_BITS


@pytest.mark.parametrize(
    ("who", "step", "reason"),
    [
        (PEOPLE[0], lambda a, on: a.mint(on, PEOPLE[0], 1), "NotTheIssuer"),
        (MARKET, lambda a, on: a.mint(on, PEOPLE[0], 1), "NotTheIssuer"),
        (ISSUER, lambda a, on: a.mint(on, Account(b""), 1), "InvalidRecipient"),
        (ISSUER, lambda a, on: a.mint(on, PEOPLE[0], 0), "NothingMoved"),
        (ISSUER, lambda a, on: a.mint(on, PEOPLE[0], 1 << MAX_BITS), "NumberOutOfRange"),
        (PEOPLE[0], lambda a, on: a.move(on, PEOPLE[1], 6), "InsufficientUnits"),
        (PEOPLE[0], lambda a, on: a.redeem(on, 6, ""), "InsufficientUnits"),
        (PEOPLE[0], lambda a, on: a.redeem(on, 0, ""), "NothingMoved"),
        (PEOPLE[0], lambda a, on: a.redeem(on, 1, "x" * 65), "ReferenceTooLong"),
        (PEOPLE[0], lambda a, on: a.take(on, Currency(b"gold"), 1), "UnknownAsset"),
        (PEOPLE[0], lambda a, on: a.pay(on, PEOPLE[1], Currency(b"gold"), 1), "UnknownAsset"),
        (PEOPLE[0], lambda a, on: a.pay(on, PEOPLE[1], COIN, 1), "InsufficientUnits"),
    ],
)
def test_what_units_refuse(who, step, reason):
    state, asset = MemoryState(), units()
    asset.mint(call(state, ISSUER), PEOPLE[0], 5)
    with pytest.raises(CallRefused) as refusal:
        step(asset, call(state, who))
    assert refusal.value.reason == reason
    assert asset.balance(state, PEOPLE[0]) == asset.supply(state) == 5


@pytest.mark.parametrize("to", [*SITE.contracts, Account(b"")])
@pytest.mark.parametrize(
    ("who", "step"),
    [
        (ISSUER, lambda a, on, to: a.mint(on, to, 1)),
        (PEOPLE[0], lambda a, on, to: a.move(on, to, 1)),
        (PEOPLE[0], lambda a, on, to: a.pay(on, to, COIN, 1)),
    ],
)
def test_units_go_to_no_contract_and_nobody(who, step, to):
    state, asset = MemoryState(), units()
    asset.mint(call(state, ISSUER), PEOPLE[0], 5)
    asset.take(call(state, PEOPLE[0]), COIN, 2)
    with pytest.raises(CallRefused) as refusal:
        step(asset, call(state, who), to)
    assert refusal.value.reason == "InvalidRecipient"
    assert asset.balance(state, PEOPLE[0]) + asset.balance(state, MARKET) == 5
