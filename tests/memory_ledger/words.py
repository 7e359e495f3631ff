"""Accounts that are words, each with an Ed25519 key, and what those sign."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from caimi.contracts.site import SignedPublication
from caimi.errors.ids import InvalidAccountId
from caimi.hashing import sha256
from caimi.ledgers.digest_wallets import DigestWallet
from caimi.ledgers.machine.statements import encoded
from caimi.ledgers.port import Account, LedgerId, Signer, Statement
from caimi.ledgers.publications import statement_signed

SIGNATURE_BYTES: Final = 64


class Wallet:
    """The key of one word (port `Signer`)."""

    def __init__(self, word: bytes, secret: Ed25519PrivateKey | None = None) -> None:
        self.account = word
        self._secret = secret or Ed25519PrivateKey.generate()

    @property
    def public(self) -> Ed25519PublicKey:
        return self._secret.public_key()

    def sign_digest(self, digest: bytes) -> bytes:
        """Sign 32 bytes with Ed25519."""
        return self._secret.sign(digest)


class MemoryAccounts:
    """How one ledger writes its accounts (port `AccountCodec`): as the words that they are.

    Whose key a word is stands in `book`.
    """

    def __init__(self, ledger: LedgerId, book: WordBook) -> None:
        self._ledger = ledger
        self._book = book

    def parse(self, text: str) -> Account:
        """Read a word; raises `InvalidAccountId` when it is none."""
        if not is_word(text.encode()):
            raise InvalidAccountId(f"{text[:60]!r} is no word.")
        return Account(self._ledger, text.encode())

    def text(self, account: Account) -> str:
        return account.native.decode()

    def digest(self, statement: Statement) -> bytes:
        """Give the hash of a statement's one encoding."""
        return sha256(encoded(statement))

    def verify(self, statement: Statement, account: Account, signature: bytes) -> bool:
        """Tell whether the key of the word signed the statement."""
        if account.ledger != self._ledger:
            return False
        return self._book.verifies(account.native, self.digest(statement), signature)

    def wallet(self, signer: Signer) -> DigestWallet:
        return DigestWallet(self._ledger, self, signer)


def is_word(native: bytes) -> bool:
    """Tell whether it is small letters alone."""
    return native.isalpha() and native.islower()


@dataclass
class WordBook:
    """Whose word is whose key (the contracts' port `Accounts`)."""

    keys: dict[bytes, Ed25519PublicKey] = field(default_factory=dict)

    def enrol(self, wallet: Wallet) -> None:
        """Give a word to a key, once."""
        assert wallet.account not in self.keys, "A word has one key for ever."
        self.keys[wallet.account] = wallet.public

    def verifies(self, word: bytes, digest: bytes, signature: bytes) -> bool:
        """Tell whether the key of a word signed 32 bytes."""
        if word not in self.keys:
            return False
        try:
            self.keys[word].verify(signature, digest)
        except InvalidSignature:
            return False
        return True

    def is_account(self, native: bytes) -> bool:
        return is_word(native)

    def signed(self, publication: SignedPublication, signature: bytes) -> bool:
        digest = sha256(encoded(statement_signed(publication)))
        return self.verifies(publication.publisher, digest, signature)
