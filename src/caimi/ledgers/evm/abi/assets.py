"""The coin of an EVM ledger, counted in wei."""

from __future__ import annotations

from typing import Final

from caimi.ledgers.port import Asset, LedgerId

DECIMALS: Final = 18


def coin_of(ledger: LedgerId) -> Asset:
    """Give the coin of an EVM ledger."""
    return Asset(ledger, b"", "coin", DECIMALS)
