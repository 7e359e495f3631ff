"""Ids, leaves and digests of publications, thousands a second.

The ABI encodings here are of fixed types, so they are written out as words: a general encoder takes
ten times as long.
"""

from __future__ import annotations

from caimi.hashing import keccak256
from caimi.ledgers.evm.contract import Contract, account, word
from caimi.ledgers.port import Publication
from caimi.merkle import leaf_hash

_DOMAIN_TYPE = keccak256(
    b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
_PUBLICATION_TYPE = keccak256(
    b"Publication(address publisher,string name,string version,bytes32 manifest)"
)
_PAD = bytes(12)
_STRING_OFFSET = (128).to_bytes(32)


class Publications:
    """What one registry hashes and what publishers sign for it."""

    def __init__(self, registry: Contract) -> None:
        self._registry = registry
        self._place = registry.chain.number.to_bytes(32) + _PAD + registry.address
        self._domain = b"\x19\x01" + keccak256(
            _DOMAIN_TYPE + keccak256(b"CAIMI ModelRegistry") + keccak256(b"1") + self._place
        )

    def model_id(self, publisher: bytes, name: str) -> bytes:
        """Give keccak256(abi.encode(chain id, registry, publisher, name))."""
        text = name.encode()
        padded = text + bytes(-len(text) % 32)
        head = self._place + _PAD + account(publisher) + _STRING_OFFSET
        return keccak256(head + len(text).to_bytes(32) + padded)

    def leaf(self, publication: Publication) -> bytes:
        """Give the OpenZeppelin standard leaf of (publisher, model id, version id, manifest)."""
        publisher = self._registry.address_of(publication.publisher)
        return leaf_hash(
            _PAD
            + publisher
            + self.model_id(publisher, publication.name)
            + keccak256(publication.version.encode())
            + _digest(publication)
        )

    def digest(self, publication: Publication) -> bytes:
        """Give the EIP-712 digest that the publisher signs."""
        struct = keccak256(
            _PUBLICATION_TYPE
            + _PAD
            + self._registry.address_of(publication.publisher)
            + keccak256(publication.name.encode())
            + keccak256(publication.version.encode())
            + _digest(publication)
        )
        return keccak256(self._domain + struct)


def _digest(publication: Publication) -> bytes:
    if len(publication.manifest) != 32:
        word(publication.manifest)
    return publication.manifest
