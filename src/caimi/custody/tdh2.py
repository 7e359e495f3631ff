"""TDH2 threshold decryption: only `threshold` custodians together open what is sealed to a group.

V. Shoup and R. Gennaro, "Securing threshold cryptosystems against chosen ciphertext attack",
Journal of Cryptology 15 (2002), section 5: secure against chosen ciphertext attack in the random
oracle model under the decisional Diffie-Hellman assumption. Used here as a KEM with an AES-256-GCM
data part; the proof of well-formedness covers the data part, the label and the group, so nothing of
a ciphertext can be changed or moved to another label. The proofs hash their whole statement, where
the paper hashes less of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from caimi.custody import dleq
from caimi.custody.encoding import Reader, blob
from caimi.custody.group import (
    POINT_BYTES,
    SECOND_GENERATOR,
    Point,
    generator_times,
    random_scalar,
)
from caimi.custody.keys import MAX_CUSTODIANS, GroupKey, KeyShare
from caimi.custody.polynomial import interpolate_points
from caimi.errors.custody import (
    InvalidCiphertext,
    InvalidKeyMaterial,
    MalformedEncoding,
    NotEnoughShares,
    WrongShare,
)

MAX_LABEL_BYTES: Final = 1024
MAX_SECRET_BYTES: Final = 4096
_TAG_BYTES: Final = 16
_CIPHERTEXT_TAG: Final = b"caimi/tdh2-ciphertext/v1"
_SHARE_TAG: Final = b"caimi/tdh2-share/v1"
SHARE_BYTES: Final = len(_SHARE_TAG) + 1 + POINT_BYTES + dleq.PROOF_BYTES
_CIPHERTEXT_DOMAIN: Final = b"caimi/tdh2/v1/well-formed"
_SHARE_DOMAIN: Final = b"caimi/tdh2/v1/share"
_KEY_DOMAIN: Final = b"caimi/tdh2/v1/key"
# Each data key encrypts once only, so its nonce may be constant.
_NONCE: Final = bytes(12)


@dataclass(frozen=True, slots=True)
class Ciphertext:
    """A secret sealed to a group under a label.

    `ephemeral` is r·G and `twin` r·G', with G' the second generator; `proof` shows that they share
    r, and thereby that whoever made the ciphertext knows what is in it. `sealed` is the data part.
    """

    label: bytes
    ephemeral: Point
    twin: Point
    proof: dleq.EqualityProof
    sealed: bytes

    def to_bytes(self) -> bytes:
        """Encode: tag, label, ephemeral, twin, proof, sealed (label and sealed length-prefixed)."""
        return (
            _CIPHERTEXT_TAG
            + blob(self.label)
            + self.ephemeral.to_bytes()
            + self.twin.to_bytes()
            + self.proof.to_bytes()
            + blob(self.sealed)
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Ciphertext:
        """Parse the one valid form, or raise `MalformedEncoding`; `verify_ciphertext` checks it."""
        reader = Reader(data, "the sealed key")
        reader.expect(_CIPHERTEXT_TAG)
        label = reader.blob(MAX_LABEL_BYTES)
        ephemeral = Point.from_bytes(reader.take(POINT_BYTES))
        twin = Point.from_bytes(reader.take(POINT_BYTES))
        proof = dleq.EqualityProof.from_bytes(reader.take(dleq.PROOF_BYTES))
        sealed = reader.blob(MAX_SECRET_BYTES + _TAG_BYTES)
        reader.finish()
        return cls(label, ephemeral, twin, proof, sealed)


@dataclass(frozen=True, slots=True)
class DecryptionShare:
    """Custodian `index`'s part in opening one ciphertext: x·ephemeral, and the proof that it is."""

    index: int
    point: Point = field(repr=False)
    proof: dleq.EqualityProof = field(repr=False)

    def to_bytes(self) -> bytes:
        """Encode: tag, index (one byte), point, proof."""
        return _SHARE_TAG + bytes([self.index]) + self.point.to_bytes() + self.proof.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> DecryptionShare:
        """Parse the one valid form, or raise `MalformedEncoding`; `verify_share` checks it."""
        reader = Reader(data, "the decryption share")
        reader.expect(_SHARE_TAG)
        index = reader.number(1, MAX_CUSTODIANS)
        point = Point.from_bytes(reader.take(POINT_BYTES))
        proof = dleq.EqualityProof.from_bytes(reader.take(dleq.PROOF_BYTES))
        reader.finish()
        return cls(index, point, proof)


@dataclass(frozen=True, slots=True)
class Opened:
    """An opened secret, and the custodians whose shares were wrong on the way."""

    secret: bytes = field(repr=False)
    wrong: tuple[int, ...]


def encrypt(public_key: Point, secret: bytes, label: bytes) -> Ciphertext:
    """Seal `secret` (1 to 4,096 bytes) to the group of `public_key` under `label` (at most 1,024).

    Raises:
        MalformedEncoding: the secret or the label has another length.
        InvalidKeyMaterial: the public key is the point at infinity, which would protect nothing.
    """
    if public_key.is_infinity:
        raise InvalidKeyMaterial("The group's public key is the point at infinity.")
    if not 1 <= len(secret) <= MAX_SECRET_BYTES:
        raise MalformedEncoding(
            f"A secret must be 1 to {MAX_SECRET_BYTES} bytes long, not {len(secret)}."
        )
    if len(label) > MAX_LABEL_BYTES:
        raise MalformedEncoding(f"A label has at most {MAX_LABEL_BYTES} bytes, not {len(label)}.")
    r = random_scalar()
    ephemeral = generator_times(r)
    twin = SECOND_GENERATOR.times_secret(r)
    key = _data_key(public_key.times_secret(r), ephemeral, label)
    sealed = AESGCM(key).encrypt(_NONCE, secret, label)
    proof = dleq.prove(r, _well_formed(public_key, label, ephemeral, twin, sealed))
    return Ciphertext(label, ephemeral, twin, proof, sealed)


def verify_ciphertext(ciphertext: Ciphertext, public_key: Point) -> None:
    """Check that `ciphertext` is well formed for this group, or raise `InvalidCiphertext`."""
    statement = _well_formed(
        public_key, ciphertext.label, ciphertext.ephemeral, ciphertext.twin, ciphertext.sealed
    )
    if not dleq.holds(ciphertext.proof, statement):
        raise InvalidCiphertext("The sealed key's proof of well-formedness does not hold.")


def decryption_share(ciphertext: Ciphertext, key_share: KeyShare) -> DecryptionShare:
    """Make a custodian's share for opening `ciphertext`, or raise `InvalidCiphertext`.

    The check comes first, always: a share for a malformed ciphertext could give away others.
    """
    verify_ciphertext(ciphertext, key_share.group.public_key)
    point = ciphertext.ephemeral.times_secret(key_share.secret)
    image = key_share.group.verification_key(key_share.index)
    statement = _share_of(ciphertext, image, point)
    return DecryptionShare(key_share.index, point, dleq.prove(key_share.secret, statement))


def verify_share(ciphertext: Ciphertext, share: DecryptionShare, group: GroupKey) -> None:
    """Check `share` against its custodian's verification key, or raise `WrongShare` naming it."""
    if not _is_good(ciphertext, share, group):
        raise WrongShare(f"The decryption share of custodian {share.index} is wrong.")


def is_proved(ciphertext: Ciphertext, share: DecryptionShare, verification_key: Point) -> bool:
    """Tell whether the share's proof holds for `ciphertext` and this verification key."""
    return dleq.holds(share.proof, _share_of(ciphertext, verification_key, share.point))


def combine(ciphertext: Ciphertext, shares: Iterable[DecryptionShare], group: GroupKey) -> Opened:
    """Check the ciphertext and every share, and open it with the good ones.

    Raises:
        InvalidCiphertext: it is malformed, or sealed to another group.
        NotEnoughShares: fewer than the threshold of distinct custodians gave good shares; the
            error names those whose shares were wrong.
    """
    verify_ciphertext(ciphertext, group.public_key)
    good: dict[int, DecryptionShare] = {}
    wrong: set[int] = set()
    for share in shares:
        if _is_good(ciphertext, share, group):
            good[share.index] = share
        else:
            wrong.add(share.index)
    named = tuple(sorted(wrong))
    if len(good) < group.threshold:
        blame = f"; wrong shares from custodians {list(named)}" if named else ""
        raise NotEnoughShares(
            f"{len(good)} good shares where {group.threshold} are needed{blame}.", wrong=named
        )
    return Opened(open_with(ciphertext, list(good.values()), group), named)


def open_with(
    ciphertext: Ciphertext, verified: Sequence[DecryptionShare], group: GroupKey
) -> bytes:
    """Open `ciphertext` with shares that `verify_share` has passed, of distinct custodians.

    Raises:
        NotEnoughShares: fewer than the threshold.
        InvalidCiphertext: the data part does not open, so its maker sealed it wrongly.
    """
    points = {share.index: share.point for share in verified}
    if len(points) < group.threshold:
        raise NotEnoughShares(f"{len(points)} shares where {group.threshold} are needed.")
    shared = interpolate_points(dict(list(points.items())[: group.threshold]))
    key = _data_key(shared, ciphertext.ephemeral, ciphertext.label)
    try:
        return AESGCM(key).decrypt(_NONCE, ciphertext.sealed, ciphertext.label)
    except InvalidTag as error:
        raise InvalidCiphertext(
            "The sealed key does not open although its proof and all shares are good.",
            why="Whoever sealed it did so wrongly.",
            next_step="Ask the publisher to publish the version again.",
        ) from error


def _is_good(ciphertext: Ciphertext, share: DecryptionShare, group: GroupKey) -> bool:
    if not 1 <= share.index <= group.total:
        return False
    return is_proved(ciphertext, share, group.verification_keys[share.index - 1])


def _well_formed(
    public_key: Point, label: bytes, ephemeral: Point, twin: Point, sealed: bytes
) -> dleq.EqualityStatement:
    return dleq.EqualityStatement(
        domain=_CIPHERTEXT_DOMAIN,
        context=(public_key.to_bytes(), label, sealed),
        base=SECOND_GENERATOR,
        image=ephemeral,
        base_image=twin,
    )


def _share_of(ciphertext: Ciphertext, image: Point, point: Point) -> dleq.EqualityStatement:
    return dleq.EqualityStatement(
        domain=_SHARE_DOMAIN,
        context=(),
        base=ciphertext.ephemeral,
        image=image,
        base_image=point,
    )


def _data_key(shared: Point, ephemeral: Point, label: bytes) -> bytes:
    kdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=_KEY_DOMAIN + label)
    return kdf.derive(shared.to_bytes() + ephemeral.to_bytes())
