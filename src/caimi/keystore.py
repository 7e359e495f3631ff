"""A secp256k1 key in this process, kept in a V3 keystore (Web3 Secret Storage) on disk.

Whoever attests has one, whatever ledgers it is about; EVM ledgers take it as an account, too.
"""

from __future__ import annotations

import json
import secrets
from math import prod
from pathlib import Path
from typing import Any, Final

from coincurve import PrivateKey

from caimi.errors.operations import KeyLocked
from caimi.json_text import read_json
from caimi.signatures import account_of
from caimi.stored_keys import read_key, write_key

_SCRYPT_N = 1 << 17
_MAX_SCRYPT = 1 << 23
"""Of scrypt's n, r and p together: 128 times that is the memory it takes."""
_MAX_ROUNDS = 10_000_000
_MAX_DERIVED_BYTES = 64
_DAMAGED = (
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    AssertionError,
    OverflowError,
    NotImplementedError,
)
"""What eth_keyfile raises for documents that are no keystores."""


class LocalSigner:
    """Signs with a secp256k1 key held in memory; its text never shows it."""

    __slots__ = ("_account", "_key")

    def __init__(self, secret: bytes) -> None:
        self._key = PrivateKey(secret)
        self._account = account_of(self._key.public_key)

    @classmethod
    def generate(cls) -> LocalSigner:
        """Make a new key."""
        return cls(PrivateKey(secrets.token_bytes(32)).secret)

    @classmethod
    def load(cls, path: Path, passphrase: bytes) -> LocalSigner:
        """Open a keystore file.

        Raises:
            KeyMissing: there is no such file.
            KeyLocked: the passphrase is wrong, or the file is damaged.
        """
        from eth_keyfile.keyfile import decode_keyfile_json  # noqa: PLC0415 - loads slowly

        document = _read(path)
        if _is_costly(document):
            raise KeyLocked(f"The key {path} asks for more work to open it than is done here.")
        try:
            secret = bytes(decode_keyfile_json(document, passphrase))
            signer = cls(secret)
        except _DAMAGED as error:
            raise KeyLocked(f"The key {path} does not open with this passphrase.") from error
        if "address" in document and signer.account != _address(document, path):
            raise KeyLocked(f"The key {path} does not belong to the address it names.")
        return signer

    @staticmethod
    def address_in(path: Path) -> bytes:
        """Read a keystore's account without opening it.

        Raises:
            KeyMissing: there is no such file.
            KeyLocked: the file is damaged.
        """
        return _address(_read(path), path)

    def save(self, path: Path, passphrase: bytes, *, scrypt_n: int = _SCRYPT_N) -> None:
        """Write a keystore file that only its owner may read; `scrypt_n` is the work to open it.

        Raises:
            KeyExists: there is a file already.
        """
        from eth_keyfile.keyfile import create_keyfile_json  # noqa: PLC0415 - loads slowly

        document = create_keyfile_json(
            self._key.secret, passphrase, kdf="scrypt", iterations=scrypt_n
        )
        write_key(path, json.dumps(document).encode())

    @property
    def account(self) -> bytes:
        """The account's 20 bytes."""
        return self._account

    @property
    def private_key(self) -> PrivateKey:
        """The key itself, for protocols that sign in another way than `sign_digest`."""
        return self._key

    def sign_digest(self, digest: bytes) -> bytes:
        """Sign a 32-byte digest: r || s || v, 65 bytes, low s, v 27 or 28."""
        if len(digest) != 32:
            raise ValueError("a digest has 32 bytes")
        signature = self._key.sign_recoverable(digest, hasher=None)
        return signature[:64] + bytes([27 + signature[64]])

    def __repr__(self) -> str:
        """Show the account alone."""
        return f"LocalSigner(0x{self._account.hex()})"


class Keystores:
    """Such keys of people (port `KeyFiles`)."""

    ending: Final = ".json"

    def generate(self, name: str) -> LocalSigner:
        """Make a new key; its account is its own, whatever the `name`."""
        return LocalSigner.generate()

    def load(self, path: Path, passphrase: bytes) -> LocalSigner:
        """Raises as `LocalSigner.load`."""
        return LocalSigner.load(path, passphrase)

    def account_in(self, path: Path) -> bytes:
        """Raises as `LocalSigner.address_in`."""
        return LocalSigner.address_in(path)


KEYSTORES: Final = Keystores()


def _read(path: Path) -> dict[str, Any]:
    text = read_key(path)
    try:
        document = read_json(text)
    except (ValueError, RecursionError) as error:
        raise KeyLocked(f"The key {path} is not a V3 keystore.") from error
    if not isinstance(document, dict) or document.get("version") != 3:
        raise KeyLocked(f"The key {path} is not a V3 keystore.")
    return document


def _is_costly(document: dict[str, Any]) -> bool:
    """Whether deriving the key would take more than some seconds or 1 GiB: a keystore may lie."""
    from eth_keyfile.keyfile import normalize_keys  # noqa: PLC0415 - loads slowly

    match normalize_keys(document):
        case {"crypto": {"kdfparams": dict(asked)}}:
            work = [asked.get(name, 1) for name in ("n", "r", "p")]
            if all(isinstance(factor, int) for factor in work) and prod(work) > _MAX_SCRYPT:
                return True
            rounds, length = asked.get("c", 1), asked.get("dklen", 1)
            return (isinstance(rounds, int) and rounds > _MAX_ROUNDS) or (
                isinstance(length, int) and length > _MAX_DERIVED_BYTES
            )
    return False


def _address(document: dict[str, Any], path: Path) -> bytes:
    try:
        address = bytes.fromhex(document["address"].removeprefix("0x"))
    except (KeyError, AttributeError, ValueError) as error:
        raise KeyLocked(f"The key {path} does not say its address.") from error
    if len(address) != 20:
        raise KeyLocked(f"The key {path} does not say its address.")
    return address
