"""The Merkle trees of closed batches: the last few are kept, for one of 100,000 takes a second."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from caimi.inference.inclusion import Inclusion
from caimi.merkle import MerkleTree, leaf_hash

_TREES_KEPT: Final = 8


class BatchTree:
    """The tree over a closed batch's receipts, in their order."""

    def __init__(self, digests: Sequence[bytes]) -> None:
        self._places = {digest: place for place, digest in enumerate(digests)}
        self._tree = MerkleTree(map(leaf_hash, digests))

    def inclusion(self, digest: bytes) -> Inclusion:
        """Prove the place of one of the batch's receipts."""
        return Inclusion(self._tree.root, self._tree.proof(self._places[digest]))


class BatchTrees:
    """Trees by their batch's number; one thread at a time."""

    def __init__(self) -> None:
        self._trees: dict[int, BatchTree] = {}

    def tree(self, batch: int, digests: Callable[[], Sequence[bytes]]) -> BatchTree:
        """Give a batch's tree, made of `digests` when it is not at hand."""
        if batch not in self._trees:
            if len(self._trees) >= _TREES_KEPT:
                self._trees.pop(next(iter(self._trees)))
            self._trees[batch] = BatchTree(digests())
        return self._trees[batch]
