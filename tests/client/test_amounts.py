import pytest
from hypothesis import given
from hypothesis import strategies as st

from caimi.client.amounts import format_amount, parse_amount
from caimi.errors.operations import UsageError
from caimi.ledgers.port import Asset, LedgerId

COIN = Asset(LedgerId("local:here"), b"", "coin", 18)
ASSETS = st.integers(0, 40).map(lambda decimals: Asset(COIN.ledger, b"", "coin", decimals))


@given(ASSETS, st.integers(0, 10**30 - 1))
def test_an_amount_is_read_back_to_the_last_unit(asset: Asset, units: int):
    assert parse_amount(format_amount(asset.of(units)), asset) == asset.of(units)


@given(st.integers(0, 10**48 - 1))
def test_an_amount_of_eighteen_decimals_is_read_back(units: int):
    assert parse_amount(format_amount(COIN.of(units)), COIN).units == units


def test_an_amount_is_written_by_the_decimals_of_its_asset():
    assets = [Asset(COIN.ledger, b"", "coin", decimals) for decimals in (0, 2, 18)]
    assert [format_amount(asset.of(150)) for asset in assets] == [
        "150",
        "1.5",
        "0.00000000000000015",
    ]


def test_no_digit_of_a_long_amount_is_rounded_away():
    long = parse_amount("123456789012.123456789012345678", COIN)
    assert long.units == 123456789012123456789012345678


NO_AMOUNTS = ["", ".5", "5.", "-1", "+1", "1e3", "1_0", "5\n", " 5", "\u0661", "1.0" * 9, "1" * 31]


@pytest.mark.parametrize("text", [*NO_AMOUNTS, "1." + "0" * 19])
def test_what_is_no_amount_is_refused(text: str):
    with pytest.raises(UsageError):
        parse_amount(text, COIN)


def test_what_is_not_counted_in_parts_takes_none():
    with pytest.raises(UsageError):
        parse_amount("1.5", Asset(COIN.ledger, b"", "share", 0))
