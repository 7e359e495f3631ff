"""Price lists: strict, exact, and never cheaper for more."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caimi.errors.inference import PricesMalformed
from caimi.inference.prices import PriceList, Usage, parse_prices, read_prices

AMOUNTS = st.integers(0, 10**12)
LISTS = st.builds(PriceList, AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS)
USAGES = st.builds(Usage, AMOUNTS, AMOUNTS, AMOUNTS)


@given(LISTS, USAGES, USAGES)
def test_more_is_never_cheaper(prices: PriceList, one: Usage, more: Usage) -> None:
    both = Usage(one.fuel + more.fuel, one.bytes_in + more.bytes_in, one.bytes_out + more.bytes_out)
    assert prices.price(both) >= prices.price(one) >= prices.minimum


@given(LISTS)
def test_a_price_list_survives_its_document(prices: PriceList) -> None:
    assert PriceList.from_document(prices.as_document()) == prices


def test_parts_are_rounded_up_once() -> None:
    prices = PriceList(gigafuel=1, megabyte_in=1)
    assert prices.price(Usage(1, 1, 0)) == 1
    assert prices.price(Usage(10**9, 0, 0)) == 1
    assert prices.price(Usage(10**9 + 1, 0, 0)) == 2


def test_a_minimum_alone_is_a_constant_price() -> None:
    prices = PriceList(minimum=7)
    assert prices.is_constant
    assert prices.price(Usage(10**15, 10**9, 10**9)) == 7


@pytest.mark.parametrize(
    "document",
    [
        [],
        {"gigafuel": -1},
        {"gigafuel": 1.5},
        {"gigafuel": True},
        {"gigafuel": "01"},
        {"gigafuel": "1e3"},
        {"gigafuel": 10**41},
        {"fuel": 1},
        {1: 2},
    ],
)
def test_a_price_list_is_read_strictly(document: object) -> None:
    with pytest.raises(PricesMalformed):
        PriceList.from_document(document)


def test_prices_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "prices.toml"
    file.write_text('minimum = 5\ngigafuel = "1000000000000000000"\n')
    assert read_prices(file) == PriceList(minimum=5, gigafuel=10**18)


@pytest.mark.parametrize("data", [b"gigafuel = ", b"\xff", b"#" * (1 << 16 | 1), b"[a]\nb = 1"])
def test_a_file_that_is_none_is_refused(data: bytes) -> None:
    with pytest.raises(PricesMalformed):
        parse_prices(data)
