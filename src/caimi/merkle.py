"""Merkle trees, bit for bit those of ``@openzeppelin/merkle-tree`` (StandardMerkleTree, 1.0.x).

A leaf is ``keccak256(keccak256(abi.encode(types, values)))``, a node the keccak256 of its sorted
pair; leaves are sorted by hash and lie at the end of an array whose node ``i`` has the children
``2i + 1`` and ``2i + 2``. OpenZeppelin's `MerkleProof` verifies the proofs on chain.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sha3 import keccak_256

from caimi.errors.ids import InvalidMerkleProof, InvalidMerkleTree
from caimi.hashing import keccak256

MAX_PROOF_NODES = 64


def leaf_hash(encoded: bytes) -> bytes:
    """Hash a leaf's ABI encoding, twice, so that no leaf can pass for a node."""
    return keccak256(keccak256(encoded))


@dataclass(frozen=True, slots=True)
class Multiproof:
    """A proof of several leaves at once. `leaves` are in the order the verifier must be given them.

    `order[k]` is the place of ``leaves[k]`` in the indices that were asked for.
    """

    leaves: tuple[bytes, ...]
    proof: tuple[bytes, ...]
    flags: tuple[bool, ...]
    order: tuple[int, ...]


class MerkleTree:
    """The tree over leaf hashes of 32 bytes each, in any order; equal leaves are allowed.

    Construction raises `InvalidMerkleTree` for no leaves or a leaf of another length.
    """

    def __init__(self, leaves: Iterable[bytes]) -> None:
        given = list(leaves)
        if not given:
            raise InvalidMerkleTree("A tree needs at least one leaf.")
        if any(len(leaf) != 32 for leaf in given):
            raise InvalidMerkleTree("A leaf hash has 32 bytes.")
        count = len(given)
        nodes = [b""] * (2 * count - 1)
        places = [0] * count
        for rank, index in enumerate(sorted(range(count), key=given.__getitem__)):
            places[index] = 2 * count - 2 - rank
            nodes[places[index]] = given[index]
        for at in range(count - 2, -1, -1):
            left, right = nodes[2 * at + 1], nodes[2 * at + 2]
            pair = left + right if left < right else right + left
            nodes[at] = keccak_256(pair).digest()
        self._nodes = nodes
        self._places = places

    def __len__(self) -> int:
        return len(self._places)

    @property
    def root(self) -> bytes:
        """The tree's root, 32 bytes."""
        return self._nodes[0]

    def leaf(self, index: int) -> bytes:
        """Give the leaf hash that was given at `index`; raises as `proof`."""
        return self._nodes[self._place(index)]

    def proof(self, index: int) -> tuple[bytes, ...]:
        """Prove the leaf given at `index`: its siblings from the bottom up.

        Raises:
            InvalidMerkleProof: there is no such leaf.
        """
        at = self._place(index)
        siblings = []
        while at > 0:
            siblings.append(self._nodes[_sibling(at)])
            at = (at - 1) // 2
        return tuple(siblings)

    def multiproof(self, indices: Sequence[int]) -> Multiproof:
        """Prove several leaves with one proof.

        Raises:
            InvalidMerkleProof: no index, one twice, or one without a leaf.
        """
        if not indices or len(set(indices)) != len(indices):
            raise InvalidMerkleProof("A multiproof is of one or more different leaves.")
        asked = [self._place(index) for index in indices]
        order = sorted(range(len(asked)), key=lambda k: -asked[k])
        places = [asked[k] for k in order]
        queue, head = list(places), 0
        proof: list[bytes] = []
        flags: list[bool] = []
        while head < len(queue) and queue[head] > 0:
            at = queue[head]
            head += 1
            if head < len(queue) and queue[head] == _sibling(at):
                flags.append(True)
                head += 1
            else:
                flags.append(False)
                proof.append(self._nodes[_sibling(at)])
            queue.append((at - 1) // 2)
        return Multiproof(
            tuple(self._nodes[place] for place in places),
            tuple(proof),
            tuple(flags),
            tuple(order),
        )

    def _place(self, index: int) -> int:
        if not 0 <= index < len(self._places):
            raise InvalidMerkleProof(f"There is no leaf {index} among {len(self._places)}.")
        return self._places[index]


def verify(root: bytes, leaf: bytes, proof: Sequence[bytes]) -> bool:
    """Whether `proof` leads from `leaf` to `root`."""
    if len(proof) > MAX_PROOF_NODES or any(len(node) != 32 for node in (leaf, *proof)):
        return False
    at = leaf
    for node in proof:
        at = keccak_256(at + node if at < node else node + at).digest()
    return at == root


def verify_multiproof(
    root: bytes, leaves: Sequence[bytes], proof: Sequence[bytes], flags: Sequence[bool]
) -> bool:
    """Whether a multiproof leads from `leaves`, in its order, to `root`.

    Follows OpenZeppelin's `MerkleProof.processMultiProof`.
    """
    if not leaves or len(leaves) + len(proof) != len(flags) + 1:
        return False
    if any(len(node) != 32 for node in (*leaves, *proof)):
        return False
    queue, siblings = list(leaves), iter(proof)
    head = 0
    for flag in flags:
        if head >= len(queue):
            return False
        at = queue[head]
        head += 1
        if flag:
            if head >= len(queue):
                return False
            node = queue[head]
            head += 1
        else:
            found = next(siblings, None)
            if found is None:
                return False
            node = found
        queue.append(keccak_256(at + node if at < node else node + at).digest())
    return next(siblings, None) is None and queue[-1] == root


def _sibling(at: int) -> int:
    return at + 1 if at % 2 else at - 1
