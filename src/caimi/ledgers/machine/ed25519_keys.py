"""Ed25519 keys of accounts, and their files: 128 bytes, with the key under a passphrase.

A file is a tag, the account's public key (32), and the private key (RFC 8032; 32) in the form of
`caimi.passphrases`, which authenticates what precedes it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from caimi.errors.operations import KeyLocked
from caimi.ledgers.machine.ed25519_accounts import account_of_key
from caimi.passphrases import COST, OVERHEAD, seal, unseal
from caimi.stored_keys import read_key, write_key

_TAG: Final = b"caimi/ed25519-key/1"
_HEAD_BYTES: Final = len(_TAG) + 32
_FILE_BYTES: Final = _HEAD_BYTES + OVERHEAD + 32


class Ed25519Key:
    """The key of an account (port `StoredKey`); its text never shows it."""

    __slots__ = ("_secret", "account")

    def __init__(self, secret: Ed25519PrivateKey | None = None) -> None:
        """Take a key, or make a new one."""
        self._secret = secret or Ed25519PrivateKey.generate()
        self.account = account_of_key(self._secret.public_key().public_bytes_raw())

    def sign_digest(self, digest: bytes) -> bytes:
        """Sign 32 bytes: 64 bytes."""
        return self._secret.sign(digest)

    def save(self, path: Path, passphrase: bytes, *, cost: int = COST) -> None:
        """Write the key's file; `cost` is log2 of scrypt's cost, 14 to 20. Blocking.

        Raises:
            KeyExists: something is there already.
            KeyLocked: the passphrase is empty, or `cost` is out of range.
        """
        head = _TAG + self._secret.public_key().public_bytes_raw()
        try:
            sealed = seal(head, self._secret.private_bytes_raw(), passphrase, cost)
        except ValueError as error:
            raise KeyLocked("No key is saved so.", why=f"{str(error).capitalize()}.") from error
        write_key(path, sealed)

    def __repr__(self) -> str:
        """Show the account alone."""
        return f"Ed25519Key({self.account.decode()})"


class Ed25519KeyFiles:
    """Such keys of people (port `KeyFiles`)."""

    ending: Final = ".ed25519"

    def generate(self, name: str) -> Ed25519Key:
        """Make a new key; its account is its own, whatever the `name`."""
        return Ed25519Key()

    def load(self, path: Path, passphrase: bytes) -> Ed25519Key:
        """Open a key's file. Blocking.

        Raises:
            KeyMissing: there is no such file.
            KeyLocked: the passphrase is wrong, or the file is damaged.
        """
        content = _read(path)
        try:
            secret = unseal(content, _HEAD_BYTES, passphrase)
        except ValueError as error:
            raise KeyLocked(f"The key {path} is not protected as it is done here.") from error
        except InvalidTag as error:
            raise KeyLocked(f"The key {path} does not open with this passphrase.") from error
        key = Ed25519Key(Ed25519PrivateKey.from_private_bytes(secret))
        if key.account != _account(content):
            raise KeyLocked(f"The key {path} does not belong to the account it names.")
        return key

    def account_in(self, path: Path) -> bytes:
        """Read a key's account without opening it; raises as `load`."""
        return _account(_read(path))


ED25519_KEYS: Final = Ed25519KeyFiles()


def _read(path: Path) -> bytes:
    content = read_key(path)
    if len(content) != _FILE_BYTES or not content.startswith(_TAG):
        raise KeyLocked(f"The key {path} is no file of an Ed25519 key.")
    return content


def _account(content: bytes) -> bytes:
    return account_of_key(content[len(_TAG) : _HEAD_BYTES])
