"""Batches of publications: Merkle roots that anybody anchors, and what is proved to be in them.

An anchored root asserts nothing but its age.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from caimi.contracts.bounds import number, word
from caimi.contracts.encoding import counted
from caimi.contracts.execution import Effect, Execution, refuse, require
from caimi.contracts.identifiers import Account, InteroperableAccount, ModelId
from caimi.contracts.naming import model_id, version_id
from caimi.contracts.records import Table
from caimi.contracts.site import SignedPublication, Site
from caimi.contracts.state import State
from caimi.merkle import leaf_hash, verify


@dataclass(frozen=True, slots=True)
class BatchAnchored(Effect):
    """Somebody anchored a batch of publications."""

    batch: int
    anchorer: Account
    root: bytes
    count: int


@dataclass(frozen=True, slots=True)
class AnchoredBatch:
    """A batch: its root, who anchored it and when (seconds), and of how many it says it is."""

    root: bytes
    anchorer: Account
    anchored_at: int
    count: int


_BATCHES: Final[Table[tuple[int], AnchoredBatch]] = Table("registry/batches", AnchoredBatch)
_COUNT: Final[Table[tuple[()], int]] = Table("registry/batch-count", int)


def publication_leaf(
    publisher: InteroperableAccount, model: ModelId, version: str, manifest: bytes
) -> bytes:
    """Give what a batch has of a publication.

    That is OpenZeppelin's standard leaf of (bytes publisher, uint256 model id, bytes32 version id,
    bytes32 manifest).
    """
    return leaf_hash(
        (128).to_bytes(32)
        + model
        + version_id(version)
        + word(manifest, "manifest")
        + counted(publisher)
    )


class PublicationBatches:
    """The batches anchored in one registry."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._home = site.here(site.registry)

    def model_id(self, publisher: Account, name: str) -> ModelId:
        """Give the id of a model of this registry."""
        return model_id(self._home, publisher, name)

    def anchor(self, call: Execution, root: bytes, count: int) -> int:
        """Anchor a root; gives the batch's number, from 1."""
        require(any(word(root, "root")), "ZeroRoot")
        require(number(count, 32, "count") != 0, "EmptyBatch")
        batch = (_COUNT.get(call.state, ()) or 0) + 1
        _COUNT.put(call.state, (), batch)
        _BATCHES.put(call.state, (batch,), AnchoredBatch(root, call.caller, call.time, count))
        call.emit(BatchAnchored(batch, call.caller, root, count))
        return batch

    def get(self, state: State, batch: int) -> AnchoredBatch:
        """Give a batch; refuses ``UnknownBatch``."""
        found = _BATCHES.get(state, (number(batch, 256, "batch"),))
        if found is None:
            refuse("UnknownBatch", batch_id=batch)
        return found

    def sign(
        self, publisher: Account, name: str, version: str, manifest: bytes
    ) -> SignedPublication:
        """Give what a publisher must sign."""
        return SignedPublication(self._home, publisher, name, version, manifest)

    def is_anchored(
        self, state: State, batch: int, publication: SignedPublication, proof: Sequence[bytes]
    ) -> bool:
        """Whether a publication of this registry is in a batch."""
        found = _BATCHES.get(state, (number(batch, 256, "batch"),))
        publisher = self._site.here(publication.publisher)
        leaf = publication_leaf(
            publisher, publication.model, publication.version, publication.manifest
        )
        return (
            found is not None
            and publication.registry == self._home
            and verify(found.root, leaf, proof)
        )
