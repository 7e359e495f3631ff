"""What arguments must be before a rule is asked: numbers in their range, words of 32 bytes.

Solidity's types say so. Here a caller can pass anything, and what does not fit is refused by name.
"""

from __future__ import annotations

from caimi.contracts.execution import refuse
from caimi.contracts.identifiers import Currency
from caimi.contracts.interoperable import EVM_ACCOUNT_LENGTH, evm_number

WORD = 32
MAX_ASSET = 64


def number(value: int, bits: int, name: str) -> int:
    """Give an unsigned number of at most `bits` bits back; refuses ``NumberOutOfRange``."""
    if type(value) is not int or not 0 <= value < 1 << bits:
        refuse("NumberOutOfRange", name=name, bits=bits)
    return value


def word(value: bytes, name: str) -> bytes:
    """Give 32 bytes back; refuses ``WrongLength``."""
    if len(value) != WORD:
        refuse("WrongLength", name=name, length=len(value))
    return value


def utf8(value: str, name: str) -> bytes:
    """Give a text's bytes; refuses ``MalformedText`` where it is no Unicode."""
    try:
        return value.encode()
    except UnicodeEncodeError:
        refuse("MalformedText", name=name)


def asset(value: bytes, ledger: bytes) -> Currency:
    """Give back what a ledger has for an asset: nothing for its coin, else at most 64 bytes.

    On an EVM ledger those are a token's 20, not all zero. Refuses ``InvalidAsset``.
    """
    fits = len(value) <= MAX_ASSET
    if value and evm_number(ledger) is not None:
        fits = len(value) == EVM_ACCOUNT_LENGTH and any(value)
    if not fits:
        refuse("InvalidAsset", asset=value)
    return Currency(value)
