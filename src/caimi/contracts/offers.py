"""Prices: where a model is paid, in what, how much. They count while the setter owns the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from caimi.contracts.bounds import currency, number
from caimi.contracts.execution import Effect, Execution, require
from caimi.contracts.identifiers import Account, Currency, InteroperableLedger, TokenId
from caimi.contracts.interoperable import EVM_ACCOUNT_LENGTH, evm_number, is_ledger
from caimi.contracts.licences import Licences
from caimi.contracts.records import Table
from caimi.contracts.registry import ModelRegistry
from caimi.contracts.state import State

MAX_PRICES: Final = 32


@dataclass(frozen=True, slots=True)
class LicencePrice:
    """One price of a model, payable on `ledger`; not `offered` withdraws the offer."""

    ledger: InteroperableLedger
    currency: Currency
    amount: int
    offered: bool = True


@dataclass(frozen=True, slots=True)
class PricesSet(Effect):
    """A seller set prices of a model."""

    token: TokenId
    seller: Account
    prices: tuple[LicencePrice, ...]


@dataclass(frozen=True, slots=True)
class PriceOffer:
    """A price as it was set, and by whom."""

    setter: Account
    offered: bool
    amount: int


@dataclass(frozen=True, slots=True)
class PriceNow:
    """What a model costs now: 0 where it is not offered. `seller` set it."""

    offered: bool
    amount: int
    seller: Account


_OFFERS: Final[Table[tuple[TokenId, bytes, Currency], PriceOffer]] = Table(
    "market/offers", PriceOffer
)


class Offers:
    """The prices of one market."""

    def __init__(self, registry: ModelRegistry, licences: Licences) -> None:
        self._registry = registry
        self._licences = licences

    def set_prices(self, call: Execution, token: TokenId, prices: Sequence[LicencePrice]) -> None:
        """Set prices. The model's owner only, at home.

        The seller is paid on the ledger where the buyer pays, at the same native bytes. An EVM
        ledger could not pay an account of another length: refuses ``SellerNotPayable``.
        """
        self._licences.require_home_owner(call, token)
        require(len(prices) <= MAX_PRICES, "TooManyPrices", length=len(prices))
        for price in prices:
            require(is_ledger(price.ledger), "InvalidLedger", ledger=price.ledger)
            payable = evm_number(price.ledger) is None or len(call.caller) == EVM_ACCOUNT_LENGTH
            require(payable, "SellerNotPayable", ledger=price.ledger, seller=call.caller)
            key = (token, price.ledger, currency(price.currency))
            amount = number(price.amount, 256, "amount")
            _OFFERS.put(call.state, key, PriceOffer(call.caller, price.offered, amount))
        call.emit(PricesSet(token, call.caller, tuple(prices)))

    def price(
        self, state: State, token: TokenId, ledger: InteroperableLedger, paid_in: Currency
    ) -> PriceNow | None:
        """Give what a model costs on a ledger, or None where nobody ever set it."""
        offer = _OFFERS.get(state, (token, ledger, paid_in))
        if offer is None:
            return None
        owner = self._registry.ownership.require_owner(state, token) if offer.offered else None
        offered = owner == offer.setter
        return PriceNow(offered, offer.amount if offered else 0, offer.setter)

    def require_price(
        self,
        state: State,
        token: TokenId,
        paid: tuple[InteroperableLedger, Currency, int],
    ) -> Account:
        """Let a payment pass that is the present price; gives the seller.

        `paid` are the ledger, the currency and the amount.
        """
        ledger, paid_in, amount = paid
        now = self.price(state, token, ledger, paid_in) or PriceNow(False, 0, Account(b""))
        require(
            now.offered and now.amount == amount,
            "PriceChanged",
            model_id=token,
            offered=now.offered,
            current=now.amount,
        )
        return now.seller
