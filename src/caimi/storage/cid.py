"""Content identifiers: CIDv1 with the raw codec, as text in lower-case base32.

Follows the CID specification (multiformats/cid): version 1, multicodec raw (0x55), a multihash of
32 bytes, multibase prefix ``b`` (RFC 4648 base32, lower case, no padding). Two hash functions are
known: SHA-256 (0x12), which names all that people and ledgers refer to, and BLAKE3 (0x1e).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Protocol, TypeAlias

from blake3 import blake3

from caimi.errors.storage import InvalidCid

Octets: TypeAlias = bytes | bytearray | memoryview

_HEAD: Final = b"\x01\x55"
_DIGEST_BYTES: Final = 32
_TEXT_LENGTH: Final = 59


class Hasher(Protocol):
    """A running hash, as `hashlib` and `blake3` give them."""

    def update(self, data: Octets, /) -> object:
        """Take more bytes."""

    def digest(self) -> bytes:
        """Give the digest of all bytes taken so far."""


class HashFunction(IntEnum):
    """A hash function by its multihash code."""

    SHA2_256 = 0x12
    BLAKE3 = 0x1E

    def new(self) -> Hasher:
        """Start a running hash."""
        return _NEW[self]()


_NEW: Final[dict[HashFunction, Callable[[], Hasher]]] = {
    HashFunction.SHA2_256: hashlib.sha256,
    HashFunction.BLAKE3: blake3,
}


@dataclass(frozen=True, slots=True, order=True)
class Cid:
    """The name of an object: the hash of its bytes. Construction raises `InvalidCid`."""

    digest: bytes
    function: HashFunction = HashFunction.SHA2_256

    def __post_init__(self) -> None:
        if len(self.digest) != _DIGEST_BYTES:
            raise InvalidCid(f"A digest has 32 bytes, not {len(self.digest)}.")

    @classmethod
    def of(cls, data: Octets, function: HashFunction = HashFunction.SHA2_256) -> Cid:
        """Give the identifier of `data`."""
        hasher = function.new()
        hasher.update(data)
        return cls(hasher.digest(), function)

    @classmethod
    def parse(cls, text: str) -> Cid:
        """Read the text form, strictly: exactly one text names an object.

        Raises:
            InvalidCid: another version, codec, hash function, base, length or padding.
        """
        if len(text) != _TEXT_LENGTH or text[:1] != "b" or not text.isascii():
            raise InvalidCid(f"{text[:80]!r} is no CIDv1 in base32 of {_TEXT_LENGTH} characters.")
        if text != text.lower():
            raise InvalidCid(f"{text!r} is not in lower case.")
        try:
            raw = base64.b32decode(text[1:].upper() + "======")
        except binascii.Error as error:
            raise InvalidCid(f"{text!r} is not base32.") from error
        cid = cls.from_bytes(raw)
        if str(cid) != text:
            raise InvalidCid(f"{text!r} has stray bits at its end.")
        return cid

    @classmethod
    def from_bytes(cls, raw: bytes) -> Cid:
        """Read the binary form (36 bytes).

        Raises:
            InvalidCid: another version, codec, hash function or length.
        """
        if (
            len(raw) != len(_HEAD) + 2 + _DIGEST_BYTES
            or raw[:2] != _HEAD
            or raw[3] != _DIGEST_BYTES
        ):
            raise InvalidCid("Not a CIDv1 of raw bytes with a 32-byte hash.")
        try:
            function = HashFunction(raw[2])
        except ValueError:
            raise InvalidCid(
                f"Hash function 0x{raw[2]:02x} is neither SHA-256 nor BLAKE3."
            ) from None
        return cls(raw[4:], function)

    def to_bytes(self) -> bytes:
        """Give the binary form (36 bytes)."""
        return _HEAD + bytes([self.function, _DIGEST_BYTES]) + self.digest

    def __str__(self) -> str:
        """Give the text form (59 characters)."""
        return "b" + base64.b32encode(self.to_bytes()).decode().rstrip("=").lower()

    def matches(self, data: Octets) -> bool:
        """Tell whether these are the bytes that this identifier names."""
        return Cid.of(data, self.function) == self
