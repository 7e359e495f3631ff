"""The two hash functions of the wire."""

from __future__ import annotations

import hashlib

from sha3 import keccak_256


def keccak256(data: bytes) -> bytes:
    """Give Keccak-256 as Ethereum uses it (the padding before FIPS 202), 32 bytes."""
    return bytes(keccak_256(data).digest())


def sha256(data: bytes) -> bytes:
    """Give SHA-256 (FIPS 180-4), 32 bytes."""
    return hashlib.sha256(data).digest()
