"""Money: joined and compared within one asset only, and never less than nothing."""

from __future__ import annotations

import operator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caimi.errors.ledgers import AmountInvalid, CallInvalid
from caimi.ledgers.evm.abi.assets import coin_of
from caimi.ledgers.evm.facets.coins import EvmCoins
from caimi.ledgers.evm.rpc.chain import Chain
from caimi.ledgers.evm.rpc.finality import Depth
from caimi.ledgers.port import Account, Asset, LedgerId

HERE = LedgerId("eip155:31337")
COIN = coin_of(HERE)
OTHERS = [Asset(HERE, b"\1" * 20), coin_of(LedgerId("eip155:1"))]
UNITS = st.integers(0, 2**256)


@given(UNITS, UNITS)
def test_amounts_of_one_asset_add_up_and_compare_as_their_units(one: int, other: int) -> None:
    a, b = COIN.of(one), COIN.of(other)
    assert (a + b).units == one + other
    assert a + b - b == a
    for compare in (operator.lt, operator.le, operator.gt, operator.ge, operator.eq):
        assert compare(a, b) == compare(one, other)
    assert bool(a) == bool(one)


@given(UNITS, st.integers(1, 2**256))
def test_no_amount_is_less_than_nothing(units: int, more: int) -> None:
    with pytest.raises(AmountInvalid):
        COIN.of(units) - COIN.of(units + more)
    with pytest.raises(AmountInvalid):
        COIN.of(-more)


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("join", [operator.add, operator.sub, operator.lt, operator.ge])
def test_amounts_of_two_assets_are_neither_joined_nor_compared(other: Asset, join) -> None:
    with pytest.raises(AmountInvalid, match="not one asset"):
        join(COIN.of(5), other.of(3))
    assert COIN.of(5) != other.of(5)


def test_an_asset_is_what_its_ledger_has_for_it_whatever_people_call_it() -> None:
    assert Asset(HERE, b"", "ETH", 18) == Asset(HERE, b"", "wei", 0)
    assert COIN.of(1) == Asset(HERE, b"").of(1)


@pytest.mark.parametrize("other", OTHERS)
def test_no_other_asset_is_sent_as_the_coin(other: Asset) -> None:
    coins = EvmCoins(Chain(None, HERE, Depth(0)))  # type: ignore[arg-type]
    with pytest.raises(CallInvalid):
        coins.transfer(Account(HERE, bytes(20)), other.of(1))
