"""Amounts of money as people write them."""

from __future__ import annotations

import re

from caimi.errors.operations import UsageError

COIN_DECIMALS = 18
_AMOUNT = re.compile(r"([0-9]{1,30})(?:\.([0-9]{1,18}))?")


def parse_amount(text: str) -> int:
    """Give the smallest units in `text`, a decimal number of coins with at most 18 places.

    Raises:
        UsageError: it is not such a number.
    """
    amount = _AMOUNT.fullmatch(text)
    if amount is None:
        raise UsageError(f"{text!r:.80} is not an amount: write coins like 5 or 0.25.")
    # Not with Decimal, which rounds to 28 digits.
    whole, part = amount[1], amount[2] or ""
    return int(whole + part.ljust(COIN_DECIMALS, "0"))


def format_amount(amount: int) -> str:
    """Write smallest units as coins, without trailing zeros."""
    whole, part = divmod(amount, 10**COIN_DECIMALS)
    digits = str(part).rjust(COIN_DECIMALS, "0").rstrip("0")
    return f"{whole}.{digits}" if digits else str(whole)
