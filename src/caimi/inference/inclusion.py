"""Proof that a receipt is in a batch that its worker anchored."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from caimi.errors.inference import ReceiptMalformed
from caimi.merkle import MAX_PROOF_NODES, leaf_hash, verify

_HASH: Final = re.compile(r"0x([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Inclusion:
    """A Merkle proof from a receipt to the root of a batch."""

    root: bytes
    proof: tuple[bytes, ...]

    def holds(self, digest: bytes) -> bool:
        """Whether the receipt of a digest is under the root; a ledger says if that is anchored.

        The leaf is OpenZeppelin's standard leaf of (bytes32 digest).
        """
        return verify(self.root, leaf_hash(digest), self.proof)

    def as_document(self) -> dict[str, object]:
        """Give the JSON form."""
        return {"root": f"0x{self.root.hex()}", "proof": [f"0x{node.hex()}" for node in self.proof]}

    @classmethod
    def from_document(cls, document: object) -> Inclusion:
        """Take the JSON form, strictly.

        Raises:
            ReceiptMalformed: it is anything else.
        """
        match document:
            case {"root": root, "proof": list(proof), **rest} if (
                not rest and len(proof) <= MAX_PROOF_NODES
            ):
                return cls(_hash(root), tuple(map(_hash, proof)))
        raise ReceiptMalformed("An inclusion proof does not have the fields it must have.")


def _hash(text: object) -> bytes:
    found = _HASH.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ReceiptMalformed("A hash must be 0x and 64 lower-case hex digits.")
    return bytes.fromhex(found[1])
