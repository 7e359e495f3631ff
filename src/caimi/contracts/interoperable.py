"""Strict readings of ERC-7930 addresses, as contracts take them: one spelling, bounded."""

from __future__ import annotations

from typing import Final

from caimi.chains import EIP155, InteroperableAddress
from caimi.contracts.identifiers import Account, InteroperableAccount, InteroperableLedger
from caimi.errors.ids import InvalidInteroperableAddress

MAX_LENGTH: Final = 128
EVM_ACCOUNT_LENGTH: Final = 20


def is_ledger(data: bytes) -> bool:
    """Whether `data` is the one encoding of a ledger without an account."""
    parsed = _parsed(data)
    return parsed is not None and bool(parsed.reference) and not parsed.address


def ledger_of(data: bytes) -> InteroperableLedger | None:
    """Give the ledger of an account; None where `data` is not the one encoding of an account."""
    parsed = _parsed(data)
    if parsed is None or not parsed.reference or not parsed.address:
        return None
    return InteroperableLedger(parsed.chain.to_bytes())


def native_of(account: InteroperableAccount) -> Account:
    """Give an account as its own ledger writes it; `account` is one that `ledger_of` reads."""
    return Account(InteroperableAddress.from_bytes(account).address)


def evm_number(ledger: bytes) -> int | None:
    """Give the chain number of an EVM ledger; None for every other, and for what is no ledger."""
    parsed = _parsed(ledger)
    if parsed is None or parsed.chain_type != EIP155 or parsed.address:
        return None
    return int.from_bytes(parsed.reference)


def ledger_name(ledger: InteroperableLedger) -> str:
    """Name a ledger within the identifiers of ICS-24: an EVM chain by its number."""
    number = evm_number(ledger)
    if number is not None:
        return str(number)
    return InteroperableAddress.from_bytes(ledger).ledger.replace(":", ".")


def account_on(ledger: InteroperableLedger, account: Account) -> InteroperableAccount:
    """Give the interoperable form of a ledger's account."""
    chain = InteroperableAddress.from_bytes(ledger)
    whole = InteroperableAddress(chain.chain_type, chain.reference, account)
    return InteroperableAccount(whole.to_bytes())


def _parsed(data: bytes) -> InteroperableAddress | None:
    if len(data) > MAX_LENGTH:
        return None
    try:
        parsed = InteroperableAddress.from_bytes(data)
    except InvalidInteroperableAddress:
        return None
    if parsed.chain_type == EIP155 and not 0 < len(parsed.reference) <= 32:
        return None
    return parsed
