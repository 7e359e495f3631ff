"""An accounting asset: what a named issuer owes, on a ledger that has no coin of its own.

The issuer makes units for whoever paid it in the world outside, and redeems them there: whoever
holds units burns them, which tells the issuer to pay. Nobody else makes any, and none is lost:
what there is, is what all hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from caimi.contracts.bounds import number
from caimi.contracts.execution import Effect, Execution, require
from caimi.contracts.identifiers import COIN, Account, Currency
from caimi.contracts.records import Table
from caimi.contracts.site import Accounts, Site
from caimi.contracts.state import State

MAX_BITS: Final = 128


@dataclass(frozen=True, slots=True)
class UnitsMinted(Effect):
    """The issuer made units for somebody."""

    account: Account
    amount: int


@dataclass(frozen=True, slots=True)
class UnitsRedeemed(Effect):
    """Somebody burned units; the issuer owes them what those stand for, as `reference` says."""

    account: Account
    amount: int
    reference: str


@dataclass(frozen=True, slots=True)
class UnitsMoved(Effect):
    """Units went from one account to another."""

    sender: Account
    recipient: Account
    amount: int


_BALANCES: Final[Table[tuple[Account], int]] = Table("accounting/balances", int)
_SUPPLY: Final[Table[tuple[()], int]] = Table("accounting/supply", int)
MAX_REFERENCE: Final = 64


class AccountingAsset:
    """The units of one ledger, held by accounts and by contracts (`HeldCoins`).

    What the contracts took is under the market's account. No other way leads to any contract's:
    nobody would have it back.
    """

    def __init__(self, issuer: Account, accounts: Accounts, site: Site) -> None:
        self.issuer = issuer
        self._accounts = accounts
        self._contracts = site.contracts
        self._holder = site.market

    def balance(self, state: State, account: Account) -> int:
        """Give how many units an account has."""
        return _BALANCES.get(state, (account,)) or 0

    def supply(self, state: State) -> int:
        """Give how many units there are."""
        return _SUPPLY.get(state, ()) or 0

    # --- for whoever holds or issues them -------------------------------------------------------

    def mint(self, call: Execution, to: Account, amount: int) -> None:
        """Make units for an account. The issuer only."""
        require(call.caller == self.issuer, "NotTheIssuer", caller=call.caller)
        self._check(to)
        self._check_moved(amount)
        supply = number(self.supply(call.state) + amount, MAX_BITS, "supply")
        _SUPPLY.put(call.state, (), supply)
        self._put(call, to, self.balance(call.state, to) + amount)
        call.emit(UnitsMinted(to, amount))

    def redeem(self, call: Execution, amount: int, reference: str) -> None:
        """Burn units of one's own, for which the issuer pays outside; `reference` says what for."""
        require(len(reference) <= MAX_REFERENCE, "ReferenceTooLong", length=len(reference))
        self._check_moved(amount)
        self._take(call, call.caller, amount)
        _SUPPLY.put(call.state, (), self.supply(call.state) - amount)
        call.emit(UnitsRedeemed(call.caller, amount, reference))

    def move(self, call: Execution, to: Account, amount: int) -> None:
        """Hand units on."""
        self._check(to)
        self._check_moved(amount)
        self._move(call, call.caller, to, amount)

    # --- for contracts (`HeldCoins`) ------------------------------------------------------------

    def take(self, call: Execution, currency: Currency, amount: int) -> None:
        """Take units from the caller."""
        require(currency == COIN, "UnknownAsset", asset=currency)
        if amount:
            self._move(call, call.caller, self._holder, number(amount, MAX_BITS, "amount"))

    def pay(self, call: Execution, to: Account, currency: Currency, amount: int) -> None:
        """Pay units that were taken before."""
        require(currency == COIN, "UnknownAsset", asset=currency)
        self._check(to)
        self._move(call, self._holder, to, number(amount, MAX_BITS, "amount"))

    # --- parts ----------------------------------------------------------------------------------

    def _check(self, to: Account) -> None:
        fits = self._accounts.is_account(to) and to not in self._contracts
        require(fits, "InvalidRecipient", to=to)

    def _check_moved(self, amount: int) -> None:
        number(amount, MAX_BITS, "amount")
        require(amount > 0, "NothingMoved")

    def _move(self, call: Execution, sender: Account, to: Account, amount: int) -> None:
        self._take(call, sender, amount)
        self._put(call, to, self.balance(call.state, to) + amount)
        call.emit(UnitsMoved(sender, to, amount))

    def _take(self, call: Execution, account: Account, amount: int) -> None:
        held = self.balance(call.state, account)
        require(held >= amount, "InsufficientUnits", account=account, held=held, amount=amount)
        self._put(call, account, held - amount)

    def _put(self, call: Execution, account: Account, units: int) -> None:
        if units:
            _BALANCES.put(call.state, (account,), units)
        else:
            _BALANCES.delete(call.state, (account,))
