"""A state of `caimi.contracts` in a chaincode's keys.

Fabric's keys are text and its values not empty: a key is written in hexadecimal digits, which keeps
the order of keys, and a value begins with a byte of its own.
"""

from __future__ import annotations

from typing import Final

from caimi.errors.fabric import ChaincodeRefusal
from caimi.ledgers.fabric.chaincode.stub import ChaincodeStub

PREFIX: Final = "s/"
_KEPT: Final = b"\x01"


class ContractState:
    """See `caimi.contracts.state.State`: what one transaction reads and writes of it."""

    def __init__(self, stub: ChaincodeStub) -> None:
        self._stub = stub

    def get(self, key: bytes) -> bytes | None:
        value = self._stub.get(state_key(key))
        return None if value is None else kept_value(value)

    def put(self, key: bytes, value: bytes) -> None:
        self._stub.put(state_key(key), _KEPT + value)

    def delete(self, key: bytes) -> None:
        self._stub.delete(state_key(key))


def state_key(key: bytes) -> str:
    """Give the chaincode's key of a contract's."""
    return PREFIX + key.hex()


def kept_value(value: bytes) -> bytes:
    """Give a contract's value out of what is kept of it.

    Raises:
        ChaincodeRefusal: it is no contract's.
    """
    if not value.startswith(_KEPT):
        raise ChaincodeRefusal(f"A value of {len(value)} bytes was not written by a contract.")
    return value[len(_KEPT) :]
