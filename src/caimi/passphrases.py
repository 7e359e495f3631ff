"""Secrets under a passphrase: scrypt (RFC 7914) derives a key, AES-256-GCM encrypts.

Behind a head that says what it is come log2 of scrypt's cost (one byte; block size 8,
parallelisation 1), salt (16), nonce (12), and ciphertext. All that precedes it is authenticated.
"""

from __future__ import annotations

import secrets
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

COST: Final = 17
"""About 128 MiB and 0.4 s, for whoever guesses as well."""
OVERHEAD: Final = 1 + 16 + 12 + 16
"""Bytes beside head and secret."""
_MIN_COST: Final = 14
_MAX_COST: Final = 20
_SALT_BYTES: Final = 16
_NONCE_BYTES: Final = 12


def seal(head: bytes, secret: bytes, passphrase: bytes, cost: int) -> bytes:
    """Encrypt a secret behind its head; `cost` is log2 of scrypt's cost, 14 to 20. Blocking.

    Raises:
        ValueError: the passphrase is empty, or `cost` is out of range.
    """
    if not passphrase:
        raise ValueError("the passphrase is empty")
    salt, nonce = secrets.token_bytes(_SALT_BYTES), secrets.token_bytes(_NONCE_BYTES)
    key = _derive(passphrase, salt, cost)
    header = head + bytes([cost]) + salt + nonce
    return header + AESGCM(key).encrypt(nonce, secret, header)


def unseal(sealed: bytes, head_bytes: int, passphrase: bytes) -> bytes:
    """Decrypt the secret behind a head of so many bytes, which it does not look at. Blocking.

    Raises:
        ValueError: it ends before its ciphertext, or asks for a cost out of range.
        InvalidTag: the passphrase is wrong, or a bit was altered.
    """
    if len(sealed) <= head_bytes + OVERHEAD:
        raise ValueError("it ends before its ciphertext")
    salted = head_bytes + 1 + _SALT_BYTES
    length = salted + _NONCE_BYTES
    key = _derive(passphrase, sealed[head_bytes + 1 : salted], sealed[head_bytes])
    return AESGCM(key).decrypt(sealed[salted:length], sealed[length:], sealed[:length])


def _derive(passphrase: bytes, salt: bytes, cost: int) -> bytes:
    if not _MIN_COST <= cost <= _MAX_COST:
        raise ValueError(f"its cost is {cost}, not {_MIN_COST} to {_MAX_COST}")
    return Scrypt(salt=salt, length=32, n=2**cost, r=8, p=1).derive(passphrase)
