"""Naming who is part of something that was read from a ledger, where anybody may have written it.

What is an account of a configured ledger is named as that ledger writes it; all else as bytes.
"""

from __future__ import annotations

from typing import Final

from caimi.client.context import Context
from caimi.errors.base import CaimiError
from caimi.ledgers.port import Account, LedgerId

_BYTES: Final = 32


def party(context: Context, account: Account) -> str:
    """Give an account's CAIP-10 id, whatever its bytes are."""
    try:
        return context.name(account)
    except (ValueError, CaimiError):
        return f"{account.ledger}:{hexed(account.native)}"


def native_party(context: Context, ledger: LedgerId, native: bytes) -> str:
    """Name the account that a ledger writes so."""
    try:
        return party(context, Account(ledger, native))
    except (ValueError, CaimiError):
        return f"{ledger}:{hexed(native)}"


def interoperable_party(context: Context, data: bytes) -> str:
    """Name the account of an ERC-7930 form."""
    try:
        return party(context, Account.from_interoperable(data))
    except (ValueError, CaimiError):
        return hexed(data)


def hexed(data: bytes) -> str:
    """Write bytes, no more than people look at."""
    shown = f"0x{data[:_BYTES].hex()}"
    return shown if len(data) <= _BYTES else f"{shown}… ({len(data)} bytes)"
