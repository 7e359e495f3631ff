"""Prices: who is paid and where, in what, how much. They count while the setter owns the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from caimi.contracts.bounds import asset, number
from caimi.contracts.execution import Effect, Execution, refuse, require
from caimi.contracts.identifiers import (
    Account,
    Currency,
    InteroperableAccount,
    InteroperableLedger,
    TokenId,
)
from caimi.contracts.interoperable import account_on, evm_number, ledger_of, native_of
from caimi.contracts.licences import Licences
from caimi.contracts.records import Table
from caimi.contracts.registry import ModelRegistry
from caimi.contracts.site import Accounts
from caimi.contracts.state import State

MAX_PRICES: Final = 32


@dataclass(frozen=True, slots=True)
class LicencePrice:
    """One price of a model, paid to `payee` (ERC-7930) on its ledger in what that has as `asset`.

    Not `offered` withdraws the offer.
    """

    payee: InteroperableAccount
    asset: Currency
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
    """A price as it was set, and by whom. `payee` is what the paying ledger has for it."""

    setter: Account
    payee: Account
    offered: bool
    amount: int


@dataclass(frozen=True, slots=True)
class PriceNow:
    """What a model costs, and who is paid."""

    amount: int
    payee: InteroperableAccount


_OFFERS: Final[Table[tuple[TokenId, bytes, Currency], PriceOffer]] = Table(
    "market/offers", PriceOffer
)


class Offers:
    """The prices of one market, on `ledger`."""

    def __init__(
        self,
        registry: ModelRegistry,
        licences: Licences,
        ledger: InteroperableLedger,
        accounts: Accounts,
    ) -> None:
        self._registry = registry
        self._licences = licences
        self._ledger = ledger
        self._accounts = accounts

    def set_prices(self, call: Execution, token: TokenId, prices: Sequence[LicencePrice]) -> None:
        """Set prices. The model's owner only, at home.

        The owner names an account of each ledger that pays: that somebody holds accounts on several
        is never told from their bytes. What no ledger could credit is refused, as far as it can be
        told from here, as ``InvalidPayee``.
        """
        self._licences.require_home_owner(call, token)
        require(len(prices) <= MAX_PRICES, "TooManyPrices", length=len(prices))
        for price in prices:
            ledger, payee = self._payable(price.payee)
            key = (token, ledger, asset(price.asset, ledger))
            amount = number(price.amount, 256, "amount")
            _OFFERS.put(call.state, key, PriceOffer(call.caller, payee, price.offered, amount))
        call.emit(PricesSet(token, call.caller, tuple(prices)))

    def price(
        self, state: State, token: TokenId, ledger: InteroperableLedger, paid_in: Currency
    ) -> PriceNow | None:
        """Give what a model costs on a ledger, or None where it is not for sale."""
        offer = _OFFERS.get(state, (token, ledger, paid_in))
        if offer is None or not offer.offered:
            return None
        if self._registry.ownership.require_owner(state, token) != offer.setter:
            return None
        return PriceNow(offer.amount, account_on(ledger, offer.payee))

    def require_price(
        self,
        state: State,
        token: TokenId,
        paid: tuple[InteroperableLedger, Currency, int],
    ) -> InteroperableAccount:
        """Let a payment pass that is the present price; gives whom to pay.

        `paid` are the ledger, the currency and the amount.
        """
        ledger, paid_in, amount = paid
        now = self.price(state, token, ledger, paid_in)
        if now is None:
            refuse("PriceChanged", model_id=token, offered=False, current=0)
        require(
            now.amount == amount, "PriceChanged", model_id=token, offered=True, current=now.amount
        )
        return now.payee

    def _payable(self, payee: InteroperableAccount) -> tuple[InteroperableLedger, Account]:
        ledger = ledger_of(payee)
        if ledger is None:
            refuse("InvalidPayee", payee=payee)
        native = native_of(payee)
        somebody = evm_number(ledger) is None or any(native)
        here = ledger != self._ledger or self._accounts.is_account(native)
        require(somebody and here, "InvalidPayee", payee=payee)
        return ledger, native
