"""Where the chaincode keeps what: the names that a peer knows its values by.

A peer's names are texts and its values are never empty, while the contracts' are bytes of any kind:
names are in hexadecimal behind a letter, and a value has one byte before it.
"""

from __future__ import annotations

from typing import Final

CLOCK: Final = "clock"
"""What the ledger's time is: 8 bytes, big-endian, in seconds."""
TERMS: Final = "terms"
"""On which terms a ledger was founded here (`FoundingTerms.encode`)."""
_STATE, _ACT = "s/", "act/"
_KEPT: Final = b"\x01"


def state_name(key: bytes) -> str:
    """Name a key of the contracts' state."""
    return _STATE + key.hex()


def state_key(name: str) -> bytes | None:
    """Give the contracts' key of a name, or None where it is of something else."""
    if not name.startswith(_STATE):
        return None
    try:
        return bytes.fromhex(name.removeprefix(_STATE))
    except ValueError:
        return None


def act_name(tx: str) -> str:
    """Name what says that an act was carried out, and how."""
    return _ACT + tx


def act_of(name: str) -> str | None:
    """Give the act of a name, or None where it is of something else."""
    return name.removeprefix(_ACT) if name.startswith(_ACT) else None


def kept(value: bytes) -> bytes:
    """Give what a peer keeps for a value."""
    return _KEPT + value


def value_of(data: bytes) -> bytes:
    """Give the value of what a peer keeps; raises `ValueError` where no value is kept so."""
    if data[:1] != _KEPT:
        raise ValueError("a value has its byte before it")
    return data[1:]
