"""Keys: of accounts, which each ledger reads in its own way, and of those who attest facts."""

from __future__ import annotations

from typing import Protocol

from caimi.ledgers.port.accounts import Account
from caimi.ledgers.port.statements import Statement


class Signer(Protocol):
    """Somebody's key of an account, wherever it is kept (a keystore, a KMS)."""

    @property
    def account(self) -> bytes:
        """The account's native bytes."""

    def sign_digest(self, digest: bytes) -> bytes:
        """Sign a 32-byte digest, in the one form that the account's ledger takes."""


class Wallet(Protocol):
    """Somebody's account on one ledger, and its key, for statements; transactions take a `Signer`.

    A ledger's `AccountCodec` makes it of a key.
    """

    @property
    def account(self) -> Account:
        """The account."""

    @property
    def name(self) -> str:
        """The account's CAIP-10 id, as its ledger writes it."""

    def sign_statement(self, statement: Statement) -> bytes:
        """Sign a statement, in the one form that the account's ledger takes."""


class AttestationKey(Protocol):
    """A validator's key: one form of signature, which light clients of every family read."""

    @property
    def account(self) -> bytes:
        """The member's 20 bytes in committees."""

    def sign_digest(self, digest: bytes) -> bytes:
        """Sign a 32-byte digest with secp256k1: r || s || v (65 bytes, low s, v 27 or 28)."""
