"""Proofs of the light clients other than the committee's, as their contracts read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from eth_abi.abi import encode

from caimi.errors.messaging import InvalidProof
from caimi.hashing import keccak256

COMMITMENTS_SLOT: Final = 1
"""Where an EVM gateway keeps its mapping of commitments."""
READS_TAG: Final = b"caimi/endorsed-reads/v1"
_MAX_NAME: Final = 255
MAX_MEMBERS: Final = 16
"""How many clients one composite is made of at most."""
_STORAGE_PROOF: Final = "(bytes,bytes,bytes[],bytes[][],string,uint64[])"
_ENDORSED_READS: Final = "(bytes,(bytes32,bytes32,bytes32,bytes32,bytes)[],uint16[])"


def commitment_slot(key: bytes) -> bytes:
    """Give the storage slot of the commitment at `key`, as Solidity lays a mapping out."""
    return keccak256(key + COMMITMENTS_SLOT.to_bytes(32, "big"))


@dataclass(frozen=True, slots=True)
class StateProof:
    """What one block's state says of some slots of one account: trie nodes from the roots down."""

    header: bytes
    account: tuple[bytes, ...]
    slots: tuple[tuple[bytes, ...], ...]

    @property
    def block_hash(self) -> bytes:
        """What another client must prove of the block."""
        return keccak256(self.header)

    def membership(self, trusted: bytes) -> bytes:
        """Prove that values are in the slots; `trusted` is the inner client's proof of the hash."""
        return self._encode(trusted, "", ())

    def absence(self, trusted: bytes, dest_client: str, sequences: Sequence[int]) -> bytes:
        """Prove that packets for `dest_client` were not received.

        The slots must be those of the packets' acknowledgements, which are written with the
        receipts.

        Raises:
            InvalidProof: there is not one sequence for each slot.
        """
        if len(sequences) != len(self.slots):
            raise InvalidProof(f"{len(sequences)} packets do not fit {len(self.slots)} slots.")
        return self._encode(trusted, dest_client, sequences)

    def _encode(self, trusted: bytes, dest_client: str, sequences: Sequence[int]) -> bytes:
        value = (self.header, trusted, self.account, self.slots, dest_client, tuple(sequences))
        return encode((_STORAGE_PROOF,), (value,))


def reads_head(ledger: str, channel: str) -> bytes:
    """Give how answers about commitments begin, of one ledger (CAIP-2) on one channel.

    Raises:
        ValueError: a name is longer than 255 bytes.
    """
    head = [READS_TAG]
    for name in (ledger.encode(), channel.encode()):
        if len(name) > _MAX_NAME:
            raise ValueError(f"a name of {len(name)} bytes is too long")
        head += [bytes([len(name)]), name]
    return b"".join(head)


@dataclass(frozen=True, slots=True)
class Endorsement:
    """One organisation's signature (ECDSA over P-256 with SHA-256) of what it read.

    It is over the read's payload and the `endorser` behind it. `key` is the public key (x, y) and
    `signature` (r, s), each of 32 bytes, s in the lower half.
    """

    endorser: bytes
    key: tuple[bytes, bytes]
    signature: tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class EndorsedReads:
    """What several organisations signed of commitments: what each key has, at one time.

    `keys` are in the order of the payload, with the `values` there, or None where nothing is. What
    was read is no older than the block of that `height`.
    """

    payload: bytes
    endorsements: tuple[Endorsement, ...]
    height: int
    time: int
    keys: tuple[bytes, ...]
    values: tuple[bytes | None, ...]

    def prove(self, keys: Sequence[bytes]) -> bytes:
        """Prove what is at some of the keys, in any order.

        Raises:
            InvalidProof: one was not read.
        """
        if not set(keys) <= set(self.keys):
            raise InvalidProof(f"Of {len(keys)} keys not all were read.")
        signed = [(*each.key, *each.signature, each.endorser) for each in self.endorsements]
        places = [self.keys.index(key) for key in keys]
        return encode((_ENDORSED_READS,), ((self.payload, signed, places),))


def composite_proof(proofs: Sequence[bytes | None]) -> bytes:
    """Join the proofs of a composite's members, in their order; None for one that is not asked.

    Raises:
        InvalidProof: there are more than a composite has members, or one is empty.
    """
    if len(proofs) > MAX_MEMBERS:
        raise InvalidProof(f"A composite has no {len(proofs)} members.")
    if any(proof == b"" for proof in proofs):
        raise InvalidProof("An empty proof stands for a member that is not asked.")
    return encode(("bytes[]",), ([proof or b"" for proof in proofs],))


def optimistic_proof(claim: int, proof: Sequence[bytes], flags: Sequence[bool]) -> bytes:
    """Prove leaves of an accepted claim with an OpenZeppelin multiproof."""
    return encode(("(uint64,bytes32[],bool[])",), ((claim, proof, flags),))
