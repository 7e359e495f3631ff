"""What a key generation leaves behind: the group's public keys, and each custodian's share."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Final

from caimi.custody.encoding import Reader
from caimi.custody.group import (
    POINT_BYTES,
    SCALAR_BYTES,
    Point,
    generator_times,
    scalar_from_bytes,
    scalar_to_bytes,
)
from caimi.custody.polynomial import interpolate_points
from caimi.errors.custody import InvalidKeyMaterial

MAX_CUSTODIANS: Final = 64
MIN_THRESHOLD: Final = 2
GROUP_DIGEST_BYTES: Final = 32
_GROUP_TAG: Final = b"caimi/group-key/v1"
_SHARE_TAG: Final = b"caimi/key-share/v1"


@dataclass(frozen=True, slots=True)
class GroupKey:
    """A threshold group's public half: whoever has it can seal keys and check shares.

    `verification_keys[i - 1]` is custodian ``i``'s. Construction checks that they and the public
    key lie on one polynomial of degree ``threshold - 1``, and raises `InvalidKeyMaterial` if not.
    """

    public_key: Point
    threshold: int
    total: int
    verification_keys: tuple[Point, ...] = field(repr=False)

    def __post_init__(self) -> None:
        if not MIN_THRESHOLD <= self.threshold <= self.total <= MAX_CUSTODIANS:
            raise InvalidKeyMaterial(
                f"A threshold of {self.threshold} of {self.total} is outside "
                f"{MIN_THRESHOLD} <= threshold <= total <= {MAX_CUSTODIANS}."
            )
        if len(self.verification_keys) != self.total:
            raise InvalidKeyMaterial(
                f"{self.total} custodians need as many verification keys, "
                f"not {len(self.verification_keys)}."
            )
        if self.public_key.is_infinity or any(key.is_infinity for key in self.verification_keys):
            raise InvalidKeyMaterial("A key of the group is the point at infinity.")
        basis = {i + 1: self.verification_keys[i] for i in range(self.threshold)}
        if interpolate_points(basis) != self.public_key:
            raise InvalidKeyMaterial("The verification keys do not share the group's public key.")
        for index in range(self.threshold + 1, self.total + 1):
            if interpolate_points(basis, at=index) != self.verification_keys[index - 1]:
                raise InvalidKeyMaterial(
                    f"The verification key of custodian {index} does not fit the others."
                )

    def verification_key(self, index: int) -> Point:
        """Give custodian `index`'s verification key, or raise `InvalidKeyMaterial`."""
        if not 1 <= index <= self.total:
            raise InvalidKeyMaterial(f"There is no custodian {index} in a group of {self.total}.")
        return self.verification_keys[index - 1]

    @property
    def digest(self) -> bytes:
        """Give the 32 bytes that name this key with its shares' keys: the encoding's SHA-256."""
        return hashlib.sha256(self.to_bytes()).digest()

    def to_bytes(self) -> bytes:
        """Encode: tag, threshold, total (a byte each), public key, verification keys."""
        points = (self.public_key, *self.verification_keys)
        return (
            _GROUP_TAG
            + bytes([self.threshold, self.total])
            + b"".join(point.to_bytes() for point in points)
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> GroupKey:
        """Parse and check, or raise `MalformedEncoding` or `InvalidKeyMaterial`."""
        reader = Reader(data, "the group key")
        group = cls._read(reader)
        reader.finish()
        return group

    @classmethod
    def _read(cls, reader: Reader) -> GroupKey:
        reader.expect(_GROUP_TAG)
        threshold = reader.number(1, MAX_CUSTODIANS)
        total = reader.number(1, MAX_CUSTODIANS)
        public_key = Point.from_bytes(reader.take(POINT_BYTES))
        keys = tuple(Point.from_bytes(reader.take(POINT_BYTES)) for _ in range(total))
        return cls(public_key, threshold, total, keys)


@dataclass(frozen=True, slots=True)
class KeyShare:
    """Custodian `index`'s share of the group's secret key. Its repr shows no secret.

    Construction checks that it belongs to its verification key (`InvalidKeyMaterial` if not).
    """

    index: int
    secret: int = field(repr=False)
    group: GroupKey

    def __post_init__(self) -> None:
        if generator_times(self.secret) != self.group.verification_key(self.index):
            raise InvalidKeyMaterial(
                f"The key share of custodian {self.index} does not match its verification key."
            )

    def to_bytes(self) -> bytes:
        """Encode in plain: tag, index, secret, group. For `keyshare_file`, which encrypts it."""
        return (
            _SHARE_TAG + bytes([self.index]) + scalar_to_bytes(self.secret) + self.group.to_bytes()
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> KeyShare:
        """Parse and check, or raise `MalformedEncoding` or `InvalidKeyMaterial`."""
        reader = Reader(data, "the key share")
        reader.expect(_SHARE_TAG)
        index = reader.number(1, MAX_CUSTODIANS)
        secret = scalar_from_bytes(reader.take(SCALAR_BYTES))
        group = GroupKey._read(reader)
        reader.finish()
        return cls(index, secret, group)
