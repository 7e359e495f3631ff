"""Validators' keys in memory."""

from __future__ import annotations

from coincurve import PrivateKey

from caimi.hashing import keccak256


class KeySigner:
    """A validator's key (port `AttestationKey`)."""

    def __init__(self, secret: int) -> None:
        self.key = PrivateKey.from_int(secret)

    @property
    def account(self) -> bytes:
        return keccak256(self.key.public_key.format(compressed=False)[1:])[12:]

    def sign_digest(self, digest: bytes) -> bytes:
        signature = self.key.sign_recoverable(digest, hasher=None)
        return signature[:64] + bytes([signature[64] + 27])
