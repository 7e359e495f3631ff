"""The bodies of a key generation's messages, each with its one bytes form.

Every body after the dealing begins with `heard`: the SHA-256 of each member's body of the round
before, zeros for a silent member. Comparing them shows who was told something else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from caimi.custody.delivery import SEALED_OVERHEAD
from caimi.custody.encoding import Reader
from caimi.custody.group import (
    POINT_BYTES,
    SCALAR_BYTES,
    Point,
    scalar_from_bytes,
    scalar_to_bytes,
)
from caimi.custody.keys import MAX_CUSTODIANS

SEALED_PAIR_BYTES: Final = SEALED_OVERHEAD + 2 * SCALAR_BYTES
DIGEST_BYTES: Final = 32
SILENT: Final = bytes(DIGEST_BYTES)


@dataclass(frozen=True, slots=True)
class SharePair:
    """A share of a dealer's secret and of the polynomial that hides it. Its repr shows neither."""

    share: int = field(repr=False)
    blinding: int = field(repr=False)

    def to_bytes(self) -> bytes:
        """Encode as two scalars."""
        return scalar_to_bytes(self.share) + scalar_to_bytes(self.blinding)

    @classmethod
    def from_bytes(cls, data: bytes) -> SharePair:
        """Parse two scalars, or raise `MalformedEncoding`."""
        return cls(scalar_from_bytes(data[:SCALAR_BYTES]), scalar_from_bytes(data[SCALAR_BYTES:]))


@dataclass(frozen=True, slots=True)
class Dealing:
    """A dealer's Pedersen commitments, and each member's share pair sealed to its transport key."""

    commitments: tuple[Point, ...]
    sealed: tuple[bytes, ...]

    def to_bytes(self) -> bytes:
        """Encode: counts (a byte each), commitments, sealed pairs."""
        counts = bytes([len(self.commitments), len(self.sealed)])
        return counts + _points(self.commitments) + b"".join(self.sealed)

    @classmethod
    def from_bytes(cls, data: bytes) -> Dealing:
        """Parse, or raise `MalformedEncoding`."""
        reader = Reader(data, "the dealing")
        threshold = reader.number(1, MAX_CUSTODIANS)
        total = reader.number(1, MAX_CUSTODIANS)
        commitments = _read_points(reader, threshold)
        sealed = tuple(reader.take(SEALED_PAIR_BYTES) for _ in range(total))
        reader.finish()
        return cls(commitments, sealed)


@dataclass(frozen=True, slots=True)
class Complaints:
    """The dealers whose sealed pair did not open or does not fit their commitments."""

    heard: tuple[bytes, ...]
    dealers: tuple[int, ...]

    def to_bytes(self) -> bytes:
        """Encode: heard, count, dealers."""
        return _heard(self.heard) + bytes([len(self.dealers), *self.dealers])

    @classmethod
    def from_bytes(cls, data: bytes) -> Complaints:
        """Parse, or raise `MalformedEncoding`."""
        reader = Reader(data, "the complaints")
        heard = _read_heard(reader)
        count = reader.number(1, MAX_CUSTODIANS)
        dealers = tuple(_read_rising(reader, count, 0)[0])
        reader.finish()
        return cls(heard, dealers)


@dataclass(frozen=True, slots=True)
class Reveals:
    """Share pairs made public, by member number.

    In a justification: the pairs that the dealer, who sends it, dealt to those who complained. In
    an extraction complaint or a reconstruction: the pairs that the sender has of these dealers.
    """

    heard: tuple[bytes, ...]
    pairs: dict[int, SharePair] = field(hash=False)

    def to_bytes(self) -> bytes:
        """Encode: heard, count, then number and pair each, numbers rising."""
        return (
            _heard(self.heard)
            + bytes([len(self.pairs)])
            + b"".join(
                bytes([number]) + pair.to_bytes() for number, pair in sorted(self.pairs.items())
            )
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Reveals:
        """Parse, or raise `MalformedEncoding`."""
        reader = Reader(data, "the revealed shares")
        heard = _read_heard(reader)
        count = reader.number(1, MAX_CUSTODIANS)
        numbers, pairs = _read_rising(reader, count, 2 * SCALAR_BYTES)
        reader.finish()
        parsed = (SharePair.from_bytes(pair) for pair in pairs)
        return cls(heard, dict(zip(numbers, parsed, strict=True)))


@dataclass(frozen=True, slots=True)
class Extraction:
    """A dealer's Feldman commitments to its secret polynomial; none if it is disqualified."""

    heard: tuple[bytes, ...]
    commitments: tuple[Point, ...]

    def to_bytes(self) -> bytes:
        """Encode: heard, count, commitments."""
        return _heard(self.heard) + bytes([len(self.commitments)]) + _points(self.commitments)

    @classmethod
    def from_bytes(cls, data: bytes) -> Extraction:
        """Parse, or raise `MalformedEncoding`."""
        reader = Reader(data, "the extraction")
        heard = _read_heard(reader)
        commitments = _read_points(reader, reader.number(1, MAX_CUSTODIANS))
        reader.finish()
        return cls(heard, commitments)


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The SHA-256 of the group key that a member has come to."""

    heard: tuple[bytes, ...]
    group_digest: bytes

    def to_bytes(self) -> bytes:
        """Encode: heard, digest."""
        return _heard(self.heard) + self.group_digest

    @classmethod
    def from_bytes(cls, data: bytes) -> Confirmation:
        """Parse, or raise `MalformedEncoding`."""
        reader = Reader(data, "the confirmation")
        heard = _read_heard(reader)
        digest = reader.take(DIGEST_BYTES)
        reader.finish()
        return cls(heard, digest)


def _heard(digests: tuple[bytes, ...]) -> bytes:
    return bytes([len(digests)]) + b"".join(digests)


def _read_heard(reader: Reader) -> tuple[bytes, ...]:
    return tuple(reader.take(DIGEST_BYTES) for _ in range(reader.number(1, MAX_CUSTODIANS)))


def _points(points: tuple[Point, ...]) -> bytes:
    return b"".join(point.to_bytes() for point in points)


def _read_points(reader: Reader, count: int) -> tuple[Point, ...]:
    return tuple(Point.from_bytes(reader.take(POINT_BYTES)) for _ in range(count))


def _read_rising(reader: Reader, count: int, size: int) -> tuple[list[int], list[bytes]]:
    numbers: list[int] = []
    values: list[bytes] = []
    for _ in range(count):
        number = reader.number(1, MAX_CUSTODIANS)
        if number <= (numbers[-1] if numbers else 0):
            reader.refuse("names members out of order")
        numbers.append(number)
        values.append(reader.take(size))
    return numbers, values
