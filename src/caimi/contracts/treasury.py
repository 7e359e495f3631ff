"""What a market holds for purchases on their way, and what it owes to whom.

For each currency, what came in is what went out, plus what is held, plus all that is owed: money is
taken into one of the two, goes from held to owed once, when its packet ends, and leaves only by a
withdrawal of what is owed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from caimi.contracts.authority import Authority, AuthorityRole
from caimi.contracts.bounds import number
from caimi.contracts.execution import Effect, Execution, refuse, require
from caimi.contracts.identifiers import COIN, Account, Currency
from caimi.contracts.records import Table
from caimi.contracts.site import Accounts
from caimi.contracts.state import State

MAX_DEPOSIT_BITS: Final = 80


class HeldCoins(Protocol):
    """A ledger's money. All it writes goes to `call.state`, so that it is undone with the call.

    Exactly the amount moves, or it refuses (`CallRefused`) and nothing does.
    """

    def take(self, call: Execution, currency: Currency, amount: int) -> None:
        """Take an amount from the caller."""

    def pay(self, call: Execution, to: Account, currency: Currency, amount: int) -> None:
        """Pay an amount that was taken before."""


@dataclass(frozen=True, slots=True)
class OwedWithdrawn(Effect):
    """Somebody had paid out what was owed."""

    account: Account
    currency: Currency
    amount: int
    to: Account


@dataclass(frozen=True, slots=True)
class RelayDepositSet(Effect):
    """What purchases from here pay for their end was set; those on their way keep theirs."""

    amount: int


_OWED: Final[Table[tuple[Account, Currency], int]] = Table("market/owed", int)
_HELD: Final[Table[tuple[Currency], int]] = Table("market/held", int)
_DEPOSIT: Final[Table[tuple[()], int]] = Table("market/relay-deposit", int)


class Treasury:
    """The money of one market, on a ledger that may have no coins."""

    def __init__(
        self, market: Account, accounts: Accounts, authority: Authority, coins: HeldCoins | None
    ) -> None:
        self._market = market
        self._authority = authority
        self._accounts = accounts
        self.coins = coins

    def owed(self, state: State, account: Account, currency: Currency) -> int:
        """Give what an account can withdraw."""
        return _OWED.get(state, (account, currency)) or 0

    def held(self, state: State, currency: Currency) -> int:
        """Give what is held for purchases on their way."""
        return _HELD.get(state, (currency,)) or 0

    def withdraw(self, call: Execution, currency: Currency, to: Account) -> int:
        """Pay out to `to` what the market owes the caller; gives how much."""
        coins = self.require_coins()
        fits = self._accounts.is_account(to) and to != self._market
        require(fits, "InvalidRecipient", to=to)
        amount = self.owed(call.state, call.caller, currency)
        require(amount != 0, "NothingOwed", account=call.caller, currency=currency)
        _OWED.delete(call.state, (call.caller, currency))
        call.emit(OwedWithdrawn(call.caller, currency, amount, to))
        coins.pay(call, to, currency, amount)
        return amount

    def set_relay_deposit(self, call: Execution, amount: int) -> None:
        """Set what each purchase from here pays for its end. Administrators only."""
        self._authority.check(call, AuthorityRole.ADMINISTRATOR)
        _DEPOSIT.put(call.state, (), number(amount, MAX_DEPOSIT_BITS, "amount"))
        call.emit(RelayDepositSet(amount))

    def relay_deposit(self, state: State) -> int:
        """Give what each purchase from here pays to whoever brings its end, in the coin.

        It is 0 until governance sets it, since what a coin is worth is the ledger's own.
        """
        return _DEPOSIT.get(state, ()) or 0

    # --- for the market -------------------------------------------------------------------------

    def require_coins(self) -> HeldCoins:
        """Give the ledger's coins; refuses ``NoCoins`` where there are none."""
        if self.coins is None:
            refuse("NoCoins")
        return self.coins

    def take(self, call: Execution, currency: Currency, amount: int, deposit: int) -> None:
        """Take an amount, and a deposit in the ledger's coin, from the caller."""
        coins = self.require_coins()
        if currency == COIN:
            coins.take(call, COIN, amount + deposit)
            return
        coins.take(call, COIN, deposit)
        coins.take(call, currency, amount)

    def hold(self, call: Execution, currency: Currency, amount: int) -> None:
        """Hold an amount."""
        _HELD.put(call.state, (currency,), self.held(call.state, currency) + amount)

    def owe(self, call: Execution, account: Account, currency: Currency, amount: int) -> None:
        """Owe an amount that came in."""
        owed = self.owed(call.state, account, currency) + amount
        _OWED.put(call.state, (account, currency), owed)

    def release(self, call: Execution, account: Account, currency: Currency, amount: int) -> None:
        """Owe an amount that was held."""
        left = self.held(call.state, currency) - amount
        assert left >= 0, "What is released was held."
        _HELD.put(call.state, (currency,), left)
        self.owe(call, account, currency, amount)
