"""What a relayer asks covers what it pays, in whole coins."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from world import World

from caimi.errors.messaging import InvalidTariff
from caimi.messaging.quote import DELIVERY_WORK, ENDING_WORK, Tariff, quote
from memory_ledger.points import points_of

PRICES = st.integers(0, 10**13)


def test_a_fee_is_both_ledgers_work_at_their_prices_and_the_margin() -> None:
    tariff = Tariff(Fraction(1, 2), margin=10, delivery_work=1_000, ending_work=100)
    assert tariff.fee(delivery_price=6, ending_price=5) == (1_000 * 6 // 2 + 100 * 5) * 110 // 100


@given(
    st.fractions(min_value=Fraction(1, 10**9), max_value=10**9),
    st.integers(0, 1000),
    st.integers(0, 10**20),
    PRICES,
    PRICES,
)
def test_a_fee_covers_the_costs_and_rounds_up_by_less_than_a_coin(
    ratio: Fraction, margin: int, minimum: int, there: int, here: int
) -> None:
    costs = ratio * DELIVERY_WORK * there + ENDING_WORK * here
    exact = costs * (100 + margin) / 100
    fee = Tariff(ratio, margin, minimum).fee(there, here)
    assert fee >= max(exact, minimum)
    assert fee == minimum or fee - exact < 1


def test_a_tariff_that_makes_no_sense_is_refused() -> None:
    for wrong in (
        {"price_ratio": Fraction(0)},
        {"price_ratio": Fraction(-1)},
        {"margin": -1},
        {"minimum": -1},
        {"delivery_work": -1},
        {"ending_work": -1},
    ):
        with pytest.raises(InvalidTariff):
            Tariff(**wrong)  # type: ignore[arg-type]


async def test_a_quote_is_of_the_present_prices(world: World) -> None:
    a, b = world.chains
    a.work_price, b.work_price = 3, 7
    views = world.views()
    assert await quote(views[a.id], views[b.id], Tariff()) == points_of(a.id).of(Tariff().fee(7, 3))
