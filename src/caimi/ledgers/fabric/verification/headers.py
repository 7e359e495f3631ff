"""A block's hashes, and the name that a channel has by its first one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

HASH_BYTES: Final = 32
NAMESPACE: Final = "fabric"
_INTEGER: Final = 0x02
_OCTETS: Final = 0x04
_SEQUENCE: Final = 0x30
_MAX_NUMBER: Final = 2**64 - 1


def signed_header(number: int, previous_hash: bytes, data_hash: bytes) -> bytes:
    """Give what of a block is hashed and signed: the DER sequence of number and hashes."""
    if not 0 <= number <= _MAX_NUMBER:
        raise ValueError(f"{number} is no block number")
    written = number.to_bytes(number.bit_length() // 8 + 1, "big")
    parts = ((_INTEGER, written), (_OCTETS, previous_hash), (_OCTETS, data_hash))
    return _der(_SEQUENCE, b"".join(_der(tag, content) for tag, content in parts))


def header_hash(number: int, previous_hash: bytes, data_hash: bytes) -> bytes:
    """Give a block's hash, which the next block names."""
    return hashlib.sha256(signed_header(number, previous_hash, data_hash)).digest()


def data_hash(entries: Iterable[bytes]) -> bytes:
    """Give the hash of what is in a block: of its entries behind one another.

    Where one ends and the next begins is not in the hash. Who reads entries has to refuse what is
    not one whole envelope in its shortest form (`caimi.ledgers.fabric.verification.envelopes`).
    """
    digest = hashlib.sha256()
    for entry in entries:
        digest.update(entry)
    return digest.digest()


def ledger_name(genesis_hash: bytes) -> str:
    """Give a channel's CAIP-2 name: the first half of its first block's hash."""
    if len(genesis_hash) != HASH_BYTES:
        raise ValueError("a block's hash has 32 bytes")
    return f"{NAMESPACE}:{genesis_hash[:16].hex()}"


def _der(tag: int, content: bytes) -> bytes:
    if len(content) >= 0x80:
        raise ValueError("the content is longer than any header's")
    return bytes((tag, len(content))) + content
