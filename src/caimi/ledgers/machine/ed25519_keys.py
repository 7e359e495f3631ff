"""Ed25519 keys of accounts, and their files: the account in a line, and the key under a passphrase.

The key is an encrypted PKCS #8 document (RFC 5958) in PEM, in which what precedes it counts for
nothing (RFC 7468): other programs open such a file, too.
"""

from __future__ import annotations

import re
from base64 import b64decode
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_der_private_key,
)

from caimi.errors.operations import KeyLocked
from caimi.ledgers.machine.ed25519_accounts import account_of_key
from caimi.stored_keys import read_key, write_key

_FILE: Final = re.compile(
    rb"([a-z2-7]{52})\n"
    rb"-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
    rb"([A-Za-z0-9+/=\n]+)"
    rb"-----END ENCRYPTED PRIVATE KEY-----\n"
)
_SEQUENCE: Final = rb"\x30[\0-\x7f]"
_DERIVED: Final = re.compile(
    rb"\x30\x81."
    + _SEQUENCE
    + rb"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d"  # PBES2
    + _SEQUENCE * 2
    + rb"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0c"  # PBKDF2
    + _SEQUENCE
    + rb"\x04\x10.{16}\x02(?:\x01[\0-\x7f]|\x02[\0-\x7f].)"
    + _SEQUENCE
    + rb"\x06",
    re.DOTALL,
)
"""How a document begins that takes fewer than 2**15 rounds to open: a file may lie."""


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

    def save(self, path: Path, passphrase: bytes) -> None:
        """Write the key's file.

        Raises:
            KeyExists: something is there already.
            KeyLocked: no key is protected with such a passphrase.
        """
        if not 0 < len(passphrase) < 1024:
            raise KeyLocked(
                "No key is saved with such a passphrase.",
                why="A passphrase has 1 to 1023 bytes.",
            )
        encryption = BestAvailableEncryption(passphrase)
        pem = self._secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
        write_key(path, self.account + b"\n" + pem)

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
        """Open a key's file.

        Raises:
            KeyMissing: there is no such file.
            KeyLocked: the passphrase is wrong, or the file is damaged.
        """
        account, document = _read(path)
        if _DERIVED.match(document) is None:
            raise KeyLocked(f"The key {path} is not protected as it is done here.")
        try:
            secret = load_der_private_key(document, passphrase)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise KeyLocked(f"The key {path} does not open with this passphrase.") from error
        if not isinstance(secret, Ed25519PrivateKey):
            raise KeyLocked(f"The key {path} is no Ed25519 key.")
        key = Ed25519Key(secret)
        if key.account != account:
            raise KeyLocked(f"The key {path} does not belong to the account it names.")
        return key

    def account_in(self, path: Path) -> bytes:
        """Read a key's account without opening it; raises as `load`."""
        return _read(path)[0]


ED25519_KEYS: Final = Ed25519KeyFiles()


def _read(path: Path) -> tuple[bytes, bytes]:
    """Give the account that a file names, and the DER of the document under it."""
    found = _FILE.fullmatch(read_key(path))
    try:
        if found is not None:
            return found[1], b64decode(found[2].replace(b"\n", b""), validate=True)
    except ValueError:
        pass
    raise KeyLocked(f"The key {path} is no file of an Ed25519 key.")
