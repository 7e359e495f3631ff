"""Errors of keeping service accounts in coins (letters C and L)."""

from __future__ import annotations

from caimi.errors.base import CaimiError
from caimi.errors.ledgers import LedgerError


class TreasuryInvalid(CaimiError):
    """What [[treasuries]] in caimi.toml says of a ledger cannot be followed."""

    code = "CAIMI-C083"
    why = (
        "A treasury pays for floor < ceiling <= daily_cap, in the ledger's coins, to accounts "
        "other than its own."
    )
    next_step = "Correct what [[treasuries]] in caimi.toml says of the ledger."


class TreasuryMissing(CaimiError):
    """No treasury is configured."""

    code = "CAIMI-C084"
    why = "Who pays, to whom and how much at most is said in [[treasuries]] of caimi.toml."
    next_step = "Add [[treasuries]] for the ledger; `caimi init` writes a commented example."


class RefillCapped(CaimiError):
    """An account lacks coins, and giving them would go beyond what may leave the treasury a day."""

    code = "CAIMI-C085"
    why = "The cap bounds what is lost when a service's key is stolen: it drains, and is refilled."
    next_step = (
        "Find out where the coins went, with `caimi treasury show`; only then raise daily_cap, or "
        "wait until 24 hours are over."
    )


class ClockBehind(CaimiError):
    """The clock of this machine is far behind a ledger's."""

    code = "CAIMI-C086"
    why = "What left a treasury within 24 hours is counted by both clocks."
    next_step = "Set this machine's clock, best by NTP."


class TreasuryShort(LedgerError):
    """A treasury has not enough coins for the accounts that it keeps."""

    code = "CAIMI-L065"
    why = "It pays what the accounts lack, and the transactions' cost."
    next_step = "Send coins to the treasury's account; `caimi treasury show` names it."


class RefillRefused(LedgerError):
    """An account does not take the coins that a treasury sends it."""

    code = "CAIMI-L066"
    why = (
        "It has code that refuses them, or that takes far more work than a payment does. What was "
        "signed in vain counts as paid."
    )
    next_step = "Take the account out of [[treasuries]], or have it take coins."
