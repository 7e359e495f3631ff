"""What units of an issuer refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from caimi.contracts.accounting import MAX_REFERENCE, AccountingAsset
from caimi.contracts.execution import Execution
from caimi.contracts.identifiers import COIN, Account, Currency
from contracts.local_ledgers import ADMIN, ALICE, BOB, LocalPair, WordAccounts
from contracts.refusals import Refused, case

GOLD = Currency(b"gold")


def units(
    pair: LocalPair, caller: Account, act: Callable[[AccountingAsset, Execution], Any]
) -> Refused:
    """Have something done with units, of which Alice has 5."""
    asset = AccountingAsset(ADMIN, WordAccounts(), pair.alpha.site)
    pair.alpha.do(ADMIN, lambda call: asset.mint(call, ALICE, 5))
    return pair.alpha, caller, lambda call: act(asset, call)


@case("NotTheIssuer")
def making_units(pair: LocalPair) -> Refused:
    return units(pair, ALICE, lambda asset, call: asset.mint(call, ALICE, 1))


@case("InvalidRecipient")
def making_units_for_a_contract(pair: LocalPair) -> Refused:
    return units(pair, ADMIN, lambda asset, call: asset.mint(call, pair.alpha.site.bridge, 1))


@case("NothingMoved")
def moving_no_units(pair: LocalPair) -> Refused:
    return units(pair, ALICE, lambda asset, call: asset.move(call, BOB, 0))


@case("InsufficientUnits")
def moving_more_units_than_there_are(pair: LocalPair) -> Refused:
    return units(pair, ALICE, lambda asset, call: asset.move(call, BOB, 6))


@case("ReferenceTooLong")
def redeeming_for_a_tale(pair: LocalPair) -> Refused:
    return units(pair, ALICE, lambda asset, call: asset.redeem(call, 1, "x" * (MAX_REFERENCE + 1)))


@case("UnknownAsset")
def taking_other_units(pair: LocalPair) -> Refused:
    return units(pair, ALICE, lambda asset, call: asset.take(call, GOLD, 1))


@case("UnknownAsset")
def paying_other_units(pair: LocalPair) -> Refused:
    return units(pair, ALICE, lambda asset, call: asset.pay(call, BOB, GOLD, 1))


@case("NumberOutOfRange")
def paying_less_than_nothing(pair: LocalPair) -> Refused:
    def paying(asset: AccountingAsset, call: Execution) -> None:
        asset.move(call, BOB, 2)
        asset.pay(call, BOB, COIN, -1)

    return units(pair, ALICE, paying)
