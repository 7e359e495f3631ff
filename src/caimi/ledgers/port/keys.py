"""Accounts' keys."""

from __future__ import annotations

from typing import Protocol


class Signer(Protocol):
    """Somebody's account key, wherever it is kept (a keystore, a KMS)."""

    @property
    def account(self) -> bytes:
        """The account's native bytes: 20 on an EVM ledger."""

    def sign_digest(self, digest: bytes) -> bytes:
        """Sign a 32-byte digest with secp256k1: r || s || v (65 bytes, low s, v 27 or 28)."""
