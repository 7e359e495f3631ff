"""A price is asked in the coin of every ledger that has one."""

from types import SimpleNamespace

import pytest

from caimi.client.publish import _prices
from caimi.errors.ledgers import NotOffered
from caimi.ledgers.port import Asset, LedgerId, Price

FINE, WHOLE = LedgerId("local:fine"), LedgerId("local:whole")


def context(**decimals: int | None) -> SimpleNamespace:
    ledgers = {}
    for name, places in decimals.items():
        ledger = LedgerId(f"local:{name}")
        coin = SimpleNamespace(asset=Asset(ledger, b"", "coin", places or 0))
        ledgers[ledger] = SimpleNamespace(coins=None if places is None else coin)
    return SimpleNamespace(ledgers=ledgers)


def test_each_ledger_asks_in_the_decimals_of_its_own_coin():
    asked = _prices(context(fine=18, none=None, whole=0), "5")
    assert asked == [Price(Asset(FINE, b"").of(5 * 10**18)), Price(Asset(WHOLE, b"").of(5))]


def test_where_no_ledger_has_a_coin_nothing_is_asked():
    with pytest.raises(NotOffered):
        _prices(context(none=None), "5")
