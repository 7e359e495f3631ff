"""Handing a gateway's clients over to the next committee, one signing for all ledgers.

The present committee signs the EIP-712 `Rotation` of `CommitteeStatements.sol`. It names the
source gateway and not a destination, so that the same signatures rotate every client of that
gateway; the committee that is replaced counts for 24 hours more there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from caimi.errors.messaging import InvalidCheckpoint, NotEnoughAttestations
from caimi.ledgers.port import AttestationKey, Committee
from caimi.messaging.checkpoint import recover, rotation_digest


@dataclass(frozen=True, slots=True)
class Rotation:
    """The step from the committee `current` to `following` for clients of the gateway `origin`.

    `origin` is keccak256 of the gateway's ERC-7930 interoperable address, 32 bytes.
    """

    origin: bytes
    current: Committee
    following: Committee

    def __post_init__(self) -> None:
        if len(self.origin) != 32:
            raise InvalidCheckpoint("An origin has 32 bytes.")
        if self.following.epoch != self.current.epoch + 1:
            raise InvalidCheckpoint(
                f"Epoch {self.following.epoch} does not follow on {self.current.epoch}."
            )

    @property
    def digest(self) -> bytes:
        """The EIP-712 digest that members of the present committee sign."""
        return rotation_digest(self.origin, self.current.hash, self.following)

    def sign(self, signer: AttestationKey) -> bytes:
        """Sign as a member of the present committee.

        Raises:
            InvalidCheckpoint: the signer is no member.
        """
        if signer.account not in self.current.members:
            raise InvalidCheckpoint(f"0x{signer.account.hex()} is no member of the committee.")
        return signer.sign_digest(self.digest)

    def collect(self, signatures: Mapping[bytes, bytes]) -> SignedRotation:
        """Check signatures by account, and keep as many as are needed, in member order.

        Raises:
            InvalidCheckpoint: a signature is malformed, or not by the account it is said to be by.
            NotEnoughAttestations: fewer members than the threshold signed.
        """
        digest = self.digest
        for account, signature in signatures.items():
            if account not in self.current.members or recover(digest, signature) != account:
                raise InvalidCheckpoint(f"The signature of 0x{account.hex()} is not a member's.")
        places = [n for n, member in enumerate(self.current.members) if member in signatures]
        needed = self.current.threshold
        if len(places) < needed:
            raise NotEnoughAttestations(
                f"{len(places)} of the {needed} signatures needed were had for epoch "
                f"{self.following.epoch}."
            )
        kept = places[:needed]
        return SignedRotation(
            self,
            sum(1 << place for place in kept),
            b"".join(signatures[self.current.members[place]] for place in kept),
        )


@dataclass(frozen=True, slots=True)
class SignedRotation:
    """A rotation as every client of its origin takes it.

    `signers` is the bitmap over the present committee, `signatures` has 65 bytes each.
    """

    rotation: Rotation
    signers: int
    signatures: bytes
