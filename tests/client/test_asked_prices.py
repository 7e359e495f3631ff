"""A price is asked in the coin of every ledger that has one, and paid to an account there."""

from collections.abc import Sequence
from types import SimpleNamespace

import pytest

from caimi.client.assets import Assets
from caimi.client.keyring import Identity
from caimi.client.pricing import asked_prices, priced_in
from caimi.errors.ledgers import CallInvalid, NotOffered
from caimi.errors.operations import KeyMissing, UsageError
from caimi.keystore import LocalSigner
from caimi.ledgers.port import Account, Asset, LedgerId, Price

FINE, WHOLE, NONE = LedgerId("local:fine"), LedgerId("local:whole"), LedgerId("local:none")
MINE = {FINE: Account(FINE, b"my key"), WHOLE: Account(WHOLE, b"another of mine")}
CAROL = Account(WHOLE, b"carol")


def context(**decimals: int | None) -> SimpleNamespace:
    ledgers = {}
    for name, places in decimals.items():
        ledger = LedgerId(f"local:{name}")
        coin = SimpleNamespace(asset=Asset(ledger, b"", "coin", places or 0))
        ledgers[ledger] = SimpleNamespace(coins=None if places is None else coin)
    mine = SimpleNamespace(account=MINE.__getitem__)
    return SimpleNamespace(ledgers=ledgers, identity=mine, assets=Assets())


async def ask(context: SimpleNamespace, price: str, payees: Sequence[Account] = ()) -> list[Price]:
    return asked_prices(context, price, await priced_in(context, None), payees)


async def test_each_ledger_asks_in_the_decimals_of_its_own_coin_for_ones_own_account_there():
    asked = await ask(context(fine=18, none=None, whole=0), "5")
    assert asked == [
        Price(Asset(FINE, b"").of(5 * 10**18), MINE[FINE]),
        Price(Asset(WHOLE, b"").of(5), MINE[WHOLE]),
    ]


async def test_a_payee_is_paid_on_its_own_ledger():
    asked = await ask(context(fine=18, whole=0), "5", [CAROL])
    assert [each.payee for each in asked] == [MINE[FINE], CAROL]


async def test_who_has_no_key_on_a_ledger_names_who_is_paid_there():
    asking = context(fine=18, whole=0)
    asking.identity = Identity("me", LocalSigner.generate(), None, elsewhere={WHOLE: None})
    assert (await ask(asking, "5", [CAROL]))[1].payee == CAROL
    with pytest.raises(KeyMissing, match=f"me has no key on {WHOLE}"):
        await ask(asking, "5")


async def test_one_payee_is_named_for_a_ledger_that_has_a_coin():
    for payees in ([CAROL, Account(WHOLE, b"dave")], [Account(NONE, b"carol")]):
        with pytest.raises(UsageError):
            await ask(context(whole=0, none=None), "5", payees)


async def test_where_no_ledger_has_a_coin_nothing_is_asked():
    with pytest.raises(NotOffered):
        await ask(context(none=None), "5")


async def test_an_account_of_another_ledger_is_never_paid():
    with pytest.raises(CallInvalid):
        Price(Asset(FINE, b"").of(5), CAROL)
