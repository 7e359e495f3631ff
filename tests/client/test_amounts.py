import pytest
from hypothesis import given
from hypothesis import strategies as st

from caimi.client.amounts import format_amount, parse_amount
from caimi.errors.operations import UsageError


@given(st.integers(0, 10**48 - 1))
def test_an_amount_is_read_back_to_the_last_unit(amount: int):
    assert parse_amount(format_amount(amount)) == amount


def test_no_digit_of_a_long_amount_is_rounded_away():
    assert parse_amount("123456789012.123456789012345678") == 123456789012123456789012345678


NO_AMOUNTS = ["", ".5", "5.", "-1", "+1", "1e3", "1_0", "5\n", " 5", "\u0661", "1.0" * 9, "1" * 31]


@pytest.mark.parametrize("text", NO_AMOUNTS)
def test_what_is_no_amount_is_refused(text: str):
    with pytest.raises(UsageError):
        parse_amount(text)
