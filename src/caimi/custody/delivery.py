"""Delivery of shares: sealed to one recipient's key, for one purpose.

HPKE (RFC 9180), base mode, with KEM MLKEM768-X25519 (a hybrid: secure while either part holds),
HKDF-SHA256 and AES-256-GCM. `info` says what the message is for, and both sides must agree on it.
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)

from caimi.custody.encoding import blob
from caimi.errors.custody import MalformedEncoding, UndeliverableShare

_MLKEM_PUBLIC_BYTES: Final = 1184
RECIPIENT_PUBLIC_BYTES: Final = _MLKEM_PUBLIC_BYTES + 32
SEALED_OVERHEAD: Final = KEM.MLKEM768_X25519.enc_length() + 16
_SUITE: Final = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


class RecipientKey:
    """A key pair that sealed messages are opened with; it lives in memory only, unprinted."""

    __slots__ = ("_private", "public_bytes")

    def __init__(self, mlkem: MLKEM768PrivateKey, x25519: X25519PrivateKey) -> None:
        self._private = MLKEM768X25519PrivateKey(mlkem, x25519)
        self.public_bytes = (
            mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()
        )

    @classmethod
    def generate(cls) -> RecipientKey:
        """Make a fresh key pair."""
        return cls(MLKEM768PrivateKey.generate(), X25519PrivateKey.generate())

    def open(self, sealed: bytes, info: bytes) -> bytes:
        """Open what `seal` made for this key and the same `info`, or raise `UndeliverableShare`."""
        try:
            return _SUITE.decrypt(sealed, self._private, info=info)
        except (InvalidTag, ValueError) as error:
            raise UndeliverableShare("A sealed message does not open with this key.") from error

    def __repr__(self) -> str:
        return f"RecipientKey(public_bytes={self.public_bytes[:8].hex()}…)"


def seal(public: bytes, plaintext: bytes, info: bytes) -> bytes:
    """Seal `plaintext` to the recipient key with these 1,216 public bytes (ML-KEM-768, X25519).

    Raises:
        MalformedEncoding: `public` is not a recipient key.
    """
    try:
        return _SUITE.encrypt(plaintext, _parse_public(public), info=info)
    except ValueError as error:
        # X25519 with a point of small order.
        raise MalformedEncoding("The recipient key is not usable.") from error


def check_recipient(public: bytes) -> None:
    """Raise `MalformedEncoding` unless `public` has the form of a recipient key."""
    _parse_public(public)


def delivery_info(label: bytes, consumer: str, index: int, nonce: bytes) -> bytes:
    """Bind a sealed share to the label, the consumer, the custodian and the request's nonce."""
    return (
        b"caimi/share-delivery/v1" + blob(label) + blob(consumer.encode()) + bytes([index]) + nonce
    )


def _parse_public(public: bytes) -> MLKEM768X25519PublicKey:
    if len(public) != RECIPIENT_PUBLIC_BYTES:
        raise MalformedEncoding(
            f"A recipient key must be {RECIPIENT_PUBLIC_BYTES} bytes, not {len(public)}."
        )
    try:
        return MLKEM768X25519PublicKey(
            MLKEM768PublicKey.from_public_bytes(public[:_MLKEM_PUBLIC_BYTES]),
            X25519PublicKey.from_public_bytes(public[_MLKEM_PUBLIC_BYTES:]),
        )
    except ValueError as error:
        raise MalformedEncoding("The recipient key's ML-KEM part is not canonical.") from error
