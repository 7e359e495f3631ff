"""The group that custody computes in: secp256k1, its scalars and points, over libsecp256k1.

Scalars are plain integers from 0 to ``ORDER - 1``. Points are immutable and include the point at
infinity, which libsecp256k1 cannot hold. secp256k1 has cofactor 1, so every parsed point is in the
prime-order group and no subgroup check is needed (SEC 2, section 2.4.1).
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from typing import Final

from coincurve import PublicKey

from caimi.errors.custody import MalformedEncoding

ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
SCALAR_BYTES: Final = 32
POINT_BYTES: Final = 33


class Point:
    """A point of secp256k1, the point at infinity included.

    Written additively. Operations are variable-time in their scalars except `generator_times` and
    `times_secret`: use those two wherever the scalar is secret.
    """

    __slots__ = ("_key",)

    def __init__(self, key: PublicKey | None) -> None:
        self._key = key

    @classmethod
    def from_bytes(cls, data: bytes) -> Point:
        """Parse a compressed point (SEC 1, section 2.3.4); the point at infinity is refused.

        Raises:
            MalformedEncoding: not 33 bytes, another form than compressed, or not on the curve.
        """
        # libsecp256k1 would also take uncompressed and hybrid forms: the length excludes them.
        if len(data) != POINT_BYTES:
            raise MalformedEncoding(f"A point must be {POINT_BYTES} bytes, not {len(data)}.")
        try:
            return cls(PublicKey(bytes(data)))
        except ValueError as error:
            raise MalformedEncoding(f"{data.hex()} is not a point of secp256k1.") from error

    def to_bytes(self) -> bytes:
        """Encode as 33 compressed bytes; the point at infinity as the single byte 0 (SEC 1)."""
        return b"\x00" if self._key is None else bytes(self._key.format(compressed=True))

    @property
    def coordinates(self) -> tuple[int, int]:
        """The affine x and y, which the point at infinity has none of (`ValueError`)."""
        if self._key is None:
            raise ValueError("the point at infinity has no coordinates")
        return self._key.point()

    @property
    def is_infinity(self) -> bool:
        """Tell whether this is the neutral element."""
        return self._key is None

    def __add__(self, other: Point) -> Point:
        return total((self, other))

    def times(self, scalar: int) -> Point:
        """Multiply by a public scalar, in variable time."""
        scalar %= ORDER
        if self._key is None or scalar == 0:
            return INFINITY
        return Point(self._key.multiply(scalar.to_bytes(SCALAR_BYTES, "big")))

    def times_secret(self, scalar: int) -> Point:
        """Multiply by a secret scalar.

        libsecp256k1 multiplies arbitrary points in variable time only, so the scalar is split into
        two random summands: the time of each multiplication depends on a uniform number alone
        (Clavier and Joye, "Universal Exponentiation Algorithm", CHES 2001, section 3).
        """
        mask = secrets.randbelow(ORDER)
        return self.times(mask) + self.times(scalar - mask)

    def plus_generator_times(self, scalar: int) -> Point:
        """Add ``scalar`` times the generator, a public scalar, in variable time."""
        if self._key is None:
            return generator_times(scalar)
        try:
            return Point(self._key.add((scalar % ORDER).to_bytes(SCALAR_BYTES, "big")))
        except ValueError:
            # With the scalar in range, libsecp256k1 fails only when the sum is the infinite point.
            return INFINITY

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Point):
            return NotImplemented
        return self.to_bytes() == other.to_bytes()

    def __hash__(self) -> int:
        return hash(self.to_bytes())

    def __repr__(self) -> str:
        return f"Point({self.to_bytes().hex()})"


INFINITY: Final = Point(None)


def generator_times(scalar: int) -> Point:
    """Multiply the generator G by a scalar, secret or public, in constant time."""
    scalar %= ORDER
    if scalar == 0:
        return INFINITY
    return Point(PublicKey.from_secret(scalar.to_bytes(SCALAR_BYTES, "big")))


def total(points: Iterable[Point]) -> Point:
    """Add up any number of points."""
    keys = [point._key for point in points if point._key is not None]
    if not keys:
        return INFINITY
    try:
        return Point(PublicKey.combine_keys(keys))
    except ValueError:
        # libsecp256k1 cannot represent the one sum that valid points can fail with: infinity.
        return INFINITY


def random_scalar() -> int:
    """Draw a uniform non-zero scalar from the operating system."""
    return 1 + secrets.randbelow(ORDER - 1)


def scalar_to_bytes(scalar: int) -> bytes:
    """Encode a scalar as 32 big-endian bytes."""
    return scalar.to_bytes(SCALAR_BYTES, "big")


def scalar_from_bytes(data: bytes) -> int:
    """Parse a scalar of 32 big-endian bytes, zero included.

    Raises:
        MalformedEncoding: not 32 bytes, or not below the group's order. The value is not repeated.
    """
    if len(data) != SCALAR_BYTES:
        raise MalformedEncoding(f"A scalar must be {SCALAR_BYTES} bytes, not {len(data)}.")
    scalar = int.from_bytes(data, "big")
    if scalar >= ORDER:
        raise MalformedEncoding("A scalar must be below the order of secp256k1.")
    return scalar


def hash_to_scalar(domain: bytes, *parts: bytes) -> int:
    """Hash to a scalar: SHA-512 over the length-prefixed domain and parts, reduced by the order.

    Reducing 512 bits leaves a bias below 2^-256. The prefixes make the hash injective in `parts`.
    """
    digest = hashlib.sha512()
    for part in (domain, *parts):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return int.from_bytes(digest.digest(), "big") % ORDER


def _second_generator() -> Point:
    """Derive a generator whose logarithm to base G nobody knows ("nothing up my sleeve").

    Try-and-increment: the first counter for which SHA-256(domain || counter) is the x coordinate
    of a point; of its two points the one with even y.
    """
    counter = 0
    while True:
        x = hashlib.sha256(b"caimi/custody/v1/second-generator" + bytes([counter])).digest()
        try:
            return Point.from_bytes(b"\x02" + x)
        except MalformedEncoding:
            counter += 1


SECOND_GENERATOR: Final = _second_generator()
