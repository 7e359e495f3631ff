"""Proofs that two points have the same logarithm: ``log_G(image) = log_base(base_image)``.

D. Chaum and T. P. Pedersen, "Wallet databases with observers", CRYPTO '92, made non-interactive by
hashing the whole statement with its context (the strong Fiat-Shamir transform: D. Bernhard, O.
Pereira, B. Warinschi, "How not to prove yourself", ASIACRYPT 2012).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Final

from caimi.custody.group import (
    ORDER,
    SCALAR_BYTES,
    Point,
    generator_times,
    hash_to_scalar,
    scalar_from_bytes,
    scalar_to_bytes,
)

PROOF_BYTES: Final = 2 * SCALAR_BYTES


@dataclass(frozen=True, slots=True)
class EqualityStatement:
    """What is proved: one scalar takes G to `image` and `base` to `base_image`, in `context`.

    `context` is everything else that the proof binds, as bytes; `domain` keeps proofs of different
    kinds apart.
    """

    domain: bytes
    context: tuple[bytes, ...]
    base: Point
    image: Point
    base_image: Point


@dataclass(frozen=True, slots=True)
class EqualityProof:
    """A challenge and a response, both scalars."""

    challenge: int
    response: int

    def to_bytes(self) -> bytes:
        """Encode as 64 bytes: challenge, response."""
        return scalar_to_bytes(self.challenge) + scalar_to_bytes(self.response)

    @classmethod
    def from_bytes(cls, data: bytes) -> EqualityProof:
        """Parse 64 bytes, or raise `MalformedEncoding`."""
        return cls(scalar_from_bytes(data[:SCALAR_BYTES]), scalar_from_bytes(data[SCALAR_BYTES:]))


def prove(secret: int, statement: EqualityStatement) -> EqualityProof:
    """Prove `statement` with the logarithm `secret`."""
    nonce = secrets.randbelow(ORDER)
    challenge = _challenge(statement, generator_times(nonce), statement.base.times_secret(nonce))
    return EqualityProof(challenge, (nonce + secret * challenge) % ORDER)


def holds(proof: EqualityProof, statement: EqualityStatement) -> bool:
    """Tell whether `proof` proves `statement`."""
    against = -proof.challenge
    commitment = statement.image.times(against).plus_generator_times(proof.response)
    base_commitment = statement.base.times(proof.response) + statement.base_image.times(against)
    return proof.challenge == _challenge(statement, commitment, base_commitment)


def _challenge(statement: EqualityStatement, commitment: Point, base_commitment: Point) -> int:
    return hash_to_scalar(
        statement.domain,
        *statement.context,
        statement.base.to_bytes(),
        statement.image.to_bytes(),
        statement.base_image.to_bytes(),
        commitment.to_bytes(),
        base_commitment.to_bytes(),
    )
