"""Accounts of EVM ledgers: 20 bytes, written with their EIP-55 checksum.

They sign statements as EIP-712 typed data, with secp256k1: r || s || v, 65 bytes, low s.
"""

from __future__ import annotations

from caimi.chains import AccountId
from caimi.errors.ids import InvalidAccountId
from caimi.ledgers.digest_wallets import DigestWallet
from caimi.ledgers.port import Account, LedgerId, Signer, Statement
from caimi.ledgers.typed_data import typed_data_digest
from caimi.signatures import MalformedSignature, account_text, recover_account


class EvmAccounts:
    """How one EVM ledger writes its accounts and what they sign (port `AccountCodec`)."""

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
        return account_text(account.native)

    def digest(self, statement: Statement) -> bytes:
        """Give the EIP-712 digest."""
        return typed_data_digest(statement)

    def verify(self, statement: Statement, account: Account, signature: bytes) -> bool:
        """Tell whether the key that signed, recovered, is the account's."""
        if account.ledger != self._ledger:
            return False
        try:
            return recover_account(self.digest(statement), signature) == account.native
        except MalformedSignature:
            return False

    def wallet(self, signer: Signer) -> DigestWallet:
        """Give a key's account here; the key signs digests as in `LocalSigner`."""
        return DigestWallet(self._ledger, self, signer)
