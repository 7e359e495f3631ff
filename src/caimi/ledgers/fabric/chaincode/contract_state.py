"""A state of `caimi.contracts` in a chaincode's keys."""

from __future__ import annotations

from caimi.errors.fabric import ChaincodeRefusal
from caimi.ledgers.fabric.chaincode.stub import ChaincodeStub
from caimi.ledgers.fabric.keys import kept, state_name, value_of


class ContractState:
    """See `caimi.contracts.state.State`: what one transaction reads and writes of it."""

    def __init__(self, stub: ChaincodeStub) -> None:
        self._stub = stub

    def get(self, key: bytes) -> bytes | None:
        """Give a key's value.

        Raises:
            ChaincodeRefusal: what is there was not written by a contract.
        """
        found = self._stub.get(state_name(key))
        if found is None:
            return None
        try:
            return value_of(found)
        except ValueError as error:
            raise ChaincodeRefusal(
                f"A value of {len(found)} bytes was not written by a contract."
            ) from error

    def put(self, key: bytes, value: bytes) -> None:
        self._stub.put(state_name(key), kept(value))

    def delete(self, key: bytes) -> None:
        self._stub.delete(state_name(key))
