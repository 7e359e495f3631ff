"""What arguments must be before a rule is asked: numbers in their range, words of 32 bytes.

Solidity's types say so. Here a caller can pass anything, and what does not fit is refused by name.
"""

from __future__ import annotations

from caimi.contracts.execution import refuse
from caimi.contracts.identifiers import Currency

WORD = 32


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


def currency(value: bytes) -> Currency:
    """Give a currency back: nothing, or 20 bytes that are not all zero (which is nothing)."""
    if value and (len(value) != 20 or not any(value)):
        refuse("MalformedCurrency", currency=value)
    return Currency(value)
