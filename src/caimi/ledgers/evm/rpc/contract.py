"""A contract at an address: builds calls with no effect, and reads at a height."""

from __future__ import annotations

from dataclasses import dataclass

from caimi.errors.ledgers import CallInvalid
from caimi.ledgers.evm.abi.calls import EvmCall, nothing
from caimi.ledgers.evm.abi.codec import Value
from caimi.ledgers.evm.abi.interface import Interface
from caimi.ledgers.evm.rpc.chain import Chain, Read
from caimi.ledgers.port import NEWEST, Account, At, LedgerId

NO_ADDRESS = bytes(20)


@dataclass(frozen=True, slots=True)
class Contract:
    """One of our contracts on one ledger."""

    chain: Chain
    address: bytes
    interface: Interface

    def call(self, what: str, method: str, *arguments: Value, value: int = 0) -> EvmCall[None]:
        """Build a state change, described by `what`.

        Raises:
            CallInvalid: an argument does not fit.
        """
        data = self.interface[method].encode(*arguments)
        return EvmCall(self.chain.ledger, what, self.address, data, value, nothing)

    def reading(self, method: str, *arguments: Value) -> Read:
        """Build a read, to be made together with others."""
        return Read(self.address, self.interface[method], arguments)

    async def read(self, method: str, *arguments: Value, at: At = NEWEST) -> tuple[Value, ...]:
        """Read at a height.

        Raises:
            TransactionReverted: the contract refuses.
        """
        return await self.chain.read(self.address, self.interface[method], *arguments, at=at)

    def account(self, address: bytes) -> Account:
        """Give the account of an address here."""
        return Account(self.chain.ledger, address)

    def address_of(self, who: Account) -> bytes:
        """Give the address of an account here; raises as `address_on`."""
        return address_on(self.chain.ledger, who)


def word(model_id: bytes) -> int:
    """Give a model id as the uint256 that contracts use.

    Raises:
        CallInvalid: it has not 32 bytes.
    """
    if len(model_id) != 32:
        raise CallInvalid(f"A model id has 32 bytes, not {len(model_id)}.")
    return int.from_bytes(model_id, "big")


def address_on(ledger: LedgerId, who: Account) -> bytes:
    """Give the 20 bytes of an account of a ledger.

    Raises:
        CallInvalid: it is of another ledger, or has another length.
    """
    if who.ledger != ledger:
        raise CallInvalid(f"The account {who} is not of {ledger}.")
    return account(who.native)


def account(address: bytes) -> bytes:
    """Give an address's 20 bytes back.

    Raises:
        CallInvalid: it has another length.
    """
    if len(address) != 20:
        raise CallInvalid(f"An EVM account has 20 bytes, not {len(address)}.")
    return address


def coin(currency: bytes) -> bytes:
    """Give a currency as contracts name it: the native coin, empty in the port, is address zero."""
    return account(currency) if currency else NO_ADDRESS
