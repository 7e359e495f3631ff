"""Amounts of money as people write them."""

from __future__ import annotations

import re

from caimi.errors.operations import UsageError
from caimi.ledgers.port import Asset, Money

_AMOUNT = re.compile(r"([0-9]{1,30})(?:\.([0-9]{1,255}))?")


def parse_amount(text: str, asset: Asset) -> Money:
    """Read `text`, a decimal number with no more places than the asset has decimals.

    Raises:
        UsageError: it is not such a number.
    """
    amount = _AMOUNT.fullmatch(text)
    if amount is None or len(amount[2] or "") > asset.decimals:
        raise UsageError(f"{text!r:.80} is not an amount: write coins like 5 or 0.25.")
    # Not with Decimal, which rounds to 28 digits.
    whole, part = amount[1], amount[2] or ""
    return asset.of(int(whole + part.ljust(asset.decimals, "0")))


def format_amount(amount: Money) -> str:
    """Write an amount by its asset's decimals, without trailing zeros."""
    whole, part = divmod(amount.units, 10**amount.asset.decimals)
    digits = str(part).rjust(amount.asset.decimals, "0").rstrip("0") if part else ""
    return f"{whole}.{digits}" if digits else str(whole)


def said(amount: Money) -> str:
    """Write an amount with its asset's symbol, as in ``12.5 EURX``.

    Of an asset whose decimals nobody told, in its smallest units.
    """
    asset = amount.asset
    if not asset.symbol:
        return f"{amount.units} of the smallest unit of the {asset}"
    return f"{format_amount(amount)} {asset.symbol}"
