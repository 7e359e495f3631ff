"""What an EVM ledger would inject into the contracts in Python: its accounts and its coins."""

from __future__ import annotations

from dataclasses import dataclass

from coincurve import PrivateKey

from caimi.contracts.execution import Execution, refuse
from caimi.contracts.identifiers import COIN, Account, Currency
from caimi.contracts.records import Table
from caimi.contracts.site import SignedPublication
from caimi.hashing import keccak256
from caimi.ledgers.publications import statement_signed
from caimi.ledgers.typed_data import typed_data_digest
from caimi.signatures import MalformedSignature, account_of, recover_account

FUNDS = 10**24


@dataclass(frozen=True)
class Key:
    """A secp256k1 key made from a name."""

    secret: PrivateKey
    account: Account

    @classmethod
    def of(cls, name: str) -> Key:
        secret = PrivateKey(keccak256(name.encode()))
        return cls(secret, Account(account_of(secret.public_key)))

    def sign(self, digest: bytes) -> bytes:
        signature = self.secret.sign_recoverable(digest, hasher=None)
        return signature[:64] + bytes([signature[64] + 27])


def publication_digest(publication: SignedPublication) -> bytes:
    """Give what a publisher signs on an EVM ledger."""
    return typed_data_digest(statement_signed(publication))


class EvmAccounts:
    """Accounts of 20 bytes, which sign publications as the Solidity registry reads them."""

    def is_account(self, native: bytes) -> bool:
        return len(native) == 20 and any(native)

    def signed(self, publication: SignedPublication, signature: bytes) -> bool:
        digest = publication_digest(publication)
        try:
            return recover_account(digest, signature) == publication.publisher
        except MalformedSignature:
            return False


_BALANCES: Table[tuple[Account], int] = Table("coins/balances", int)


class NativeCoins:
    """The ledger's coin, of which everybody has `FUNDS` at first; there are no tokens."""

    def balance(self, call: Execution, account: Account) -> int:
        found = _BALANCES.get(call.state, (account,))
        return FUNDS if found is None else found

    def take(self, call: Execution, currency: Currency, amount: int) -> None:
        self._move(call, call.caller, currency, -amount)

    def pay(self, call: Execution, to: Account, currency: Currency, amount: int) -> None:
        self._move(call, to, currency, amount)

    def _move(self, call: Execution, account: Account, currency: Currency, amount: int) -> None:
        if amount == 0:
            return
        if currency != COIN:
            refuse("", currency=currency)  # as calling an account that has no code
        left = self.balance(call, account) + amount
        if left < 0:
            refuse("OutOfFunds", account=account)
        _BALANCES.put(call.state, (account,), left)
