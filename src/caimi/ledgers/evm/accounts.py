"""Accounts of EVM ledgers: 20 bytes, written with their EIP-55 checksum."""

from __future__ import annotations

from eth_utils.address import to_checksum_address

from caimi.chains import AccountId
from caimi.errors.ids import InvalidAccountId
from caimi.ledgers.port import Account, LedgerId


def address_text(address: bytes) -> str:
    """Write an address, whatever ledger it is on."""
    return to_checksum_address(address)


class EvmAccounts:
    """How one EVM ledger writes its accounts (port `AccountCodec`)."""

    def __init__(self, ledger: LedgerId) -> None:
        self._ledger = ledger

    def parse(self, text: str) -> Account:
        """Read 0x and 40 hexadecimal digits; where they are of both cases, the checksum holds.

        Raises:
            InvalidAccountId: it is something else.
        """
        try:
            address = AccountId(self._ledger, text).address
        except InvalidAccountId as error:
            raise InvalidAccountId(
                error.what,
                why="It is not written as this ledger's accounts are.",
                next_step="Write 0x and 40 hexadecimal digits.",
            ) from error
        return Account(self._ledger, bytes.fromhex(address[2:]))

    def text(self, account: Account) -> str:
        """Write an account with its checksum."""
        return address_text(account.native)
