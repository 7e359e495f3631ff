"""Accounts that are Ed25519 keys, in the 52 small letters and digits that base32 writes them with.

A key signs the hash of a statement's one encoding (RFC 8032; base32 as RFC 4648, without padding).
"""

from __future__ import annotations

from base64 import b32decode, b32encode

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from caimi.contracts.site import SignedPublication
from caimi.errors.ids import InvalidAccountId
from caimi.hashing import sha256
from caimi.ledgers.digest_wallets import DigestWallet
from caimi.ledgers.machine.machine import CONTRACTS
from caimi.ledgers.machine.statements import encoded
from caimi.ledgers.port import Account, LedgerId, Signer, Statement
from caimi.ledgers.publications import statement_signed


def account_of_key(public: bytes) -> bytes:
    """Give the native bytes of a key's account."""
    return b32encode(public).rstrip(b"=").lower()


class Ed25519Accounts:
    """What a ledger knows of accounts (port `AccountCodec`, and the contracts' `Accounts`)."""

    def __init__(self, ledger: LedgerId) -> None:
        self._ledger = ledger

    def parse(self, text: str) -> Account:
        """Read an account; raises `InvalidAccountId` when it is none."""
        native = text.encode(errors="replace")
        if not self.is_account(native):
            raise InvalidAccountId(f"{text[:60]!r} is no key in base32.")
        return Account(self._ledger, native)

    def text(self, account: Account) -> str:
        """Write an account."""
        return account.native.decode()

    def digest(self, statement: Statement) -> bytes:
        """Give the hash of a statement's one encoding."""
        return sha256(encoded(statement))

    def verify(self, statement: Statement, account: Account, signature: bytes) -> bool:
        """Tell whether the account's key signed a statement."""
        public = _public_of(account.native)
        if account.ledger != self._ledger or public is None:
            return False
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(signature, self.digest(statement))
        except InvalidSignature:
            return False
        return True

    def wallet(self, signer: Signer) -> DigestWallet:
        """Give a key's account here, to sign statements."""
        return DigestWallet(self._ledger, self, signer)

    def is_account(self, native: bytes) -> bool:
        """Tell whether it is a key, or one of the contracts."""
        return native in CONTRACTS or _public_of(native) is not None

    def signed(self, publication: SignedPublication, signature: bytes) -> bool:
        """Tell whether its publisher signed a publication."""
        publisher = Account(self._ledger, publication.publisher)
        return self.verify(statement_signed(publication), publisher, signature)


def _public_of(native: bytes) -> bytes | None:
    """Give the 32 bytes of a key; None where it is not written in their one form."""
    try:
        public = b32decode(native.upper() + b"====")
    except ValueError:
        return None
    return public if len(public) == 32 and account_of_key(public) == native else None
