"""Trees and proofs are OpenZeppelin's, and no changed proof holds."""

import json
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from caimi.errors.ids import InvalidMerkleProof, InvalidMerkleTree
from caimi.hashing import keccak256
from caimi.merkle import MAX_PROOF_NODES, MerkleTree, leaf_hash, verify, verify_multiproof

FILE = Path(__file__).parent.parent / "contracts" / "vectors" / "merkle.json"
VECTORS = json.loads(FILE.read_text())["vectors"]

leaves32 = st.binary(min_size=32, max_size=32)
trees = st.lists(leaves32, min_size=1, max_size=24)


def raw(texts: list[str]) -> tuple[bytes, ...]:
    return tuple(bytes.fromhex(text[2:]) for text in texts)


def encoded(types: list[str], values: list[str]) -> bytes:
    kinds = {"uint256": int, "address": str, "bytes32": lambda text: bytes.fromhex(text[2:])}
    return encode(types, [kinds[kind](v) for kind, v in zip(types, values, strict=True)])


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: f"{len(vector['leaves'])}-leaves")
def test_leaves_roots_and_proofs_are_openzeppelins(vector: dict[str, Any]) -> None:
    leaves = [leaf_hash(encoded(vector["types"], values)) for values in vector["values"]]
    assert tuple(leaves) == raw(vector["leaves"])
    tree = MerkleTree(leaves)
    assert f"0x{tree.root.hex()}" == vector["root"]
    for index, proof in enumerate(vector["proofs"]):
        assert tree.proof(index) == raw(proof)
        assert verify(tree.root, leaves[index], raw(proof))


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: f"{len(vector['leaves'])}-leaves")
def test_multiproofs_are_openzeppelins(vector: dict[str, Any]) -> None:
    leaves = raw(vector["leaves"])
    tree = MerkleTree(leaves)
    assert vector["multiproofs"]
    for expected in vector["multiproofs"]:
        made = tree.multiproof(expected["indices"])
        assert made.proof == raw(expected["proof"])
        assert list(made.flags) == expected["flags"]
        assert [expected["indices"][place] for place in made.order] == expected["order"]
        ordered = [leaves[index] for index in expected["order"]]
        assert list(made.leaves) == ordered
        assert verify_multiproof(tree.root, ordered, raw(expected["proof"]), expected["flags"])


def test_the_published_example_has_its_root() -> None:
    assert VECTORS[0]["root"] == (
        "0xd4dee0beab2d53f2cc83e567171bd2820e49898130a22622b10ead383e90bd77"
    )


@given(trees)
def test_every_leaf_is_proved(leaves: list[bytes]) -> None:
    tree = MerkleTree(leaves)
    assert len(tree) == len(leaves)
    for index, leaf in enumerate(leaves):
        assert tree.leaf(index) == leaf
        assert verify(tree.root, leaf, tree.proof(index))


@given(trees, st.randoms(use_true_random=False))
def test_the_order_of_leaves_does_not_change_the_root(leaves: list[bytes], random) -> None:
    shuffled = list(leaves)
    random.shuffle(shuffled)
    assert MerkleTree(shuffled).root == MerkleTree(leaves).root


@given(trees, st.data())
def test_any_set_of_leaves_is_proved_at_once(leaves: list[bytes], data: st.DataObject) -> None:
    indices = data.draw(
        st.lists(st.integers(0, len(leaves) - 1), min_size=1, unique=True), label="indices"
    )
    tree = MerkleTree(leaves)
    made = tree.multiproof(indices)
    assert verify_multiproof(tree.root, made.leaves, made.proof, made.flags)
    assert sorted(made.order) == list(range(len(indices)))
    assert list(made.leaves) == [leaves[indices[place]] for place in made.order]


def flipped(value: bytes, bit: int) -> bytes:
    changed = bytearray(value)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@given(trees, st.data())
def test_no_changed_bit_of_a_proof_holds(leaves: list[bytes], data: st.DataObject) -> None:
    tree = MerkleTree(leaves)
    index = data.draw(st.integers(0, len(leaves) - 1))
    parts = [tree.root, leaves[index], *tree.proof(index)]
    place = data.draw(st.integers(0, len(parts) - 1))
    parts[place] = flipped(parts[place], data.draw(st.integers(0, 255)))
    assert not verify(parts[0], parts[1], parts[2:])


@given(trees, st.data())
def test_no_changed_bit_or_flag_of_a_multiproof_holds(
    leaves: list[bytes], data: st.DataObject
) -> None:
    tree = MerkleTree(leaves)
    indices = data.draw(st.lists(st.integers(0, len(leaves) - 1), min_size=1, unique=True))
    made = tree.multiproof(indices)
    parts = [tree.root, *made.leaves, *made.proof]
    place = data.draw(st.integers(0, len(parts) - 1))
    parts[place] = flipped(parts[place], data.draw(st.integers(0, 255)))
    count = len(made.leaves)
    assert not verify_multiproof(parts[0], parts[1 : 1 + count], parts[1 + count :], made.flags)


@given(
    st.lists(leaves32, max_size=6),
    st.lists(leaves32, max_size=6),
    st.lists(st.booleans(), max_size=12),
)
def test_no_made_up_multiproof_holds_or_crashes(
    leaves: list[bytes], proof: list[bytes], flags: list[bool]
) -> None:
    root = MerkleTree([keccak256(b"a"), keccak256(b"b"), keccak256(b"c")]).root
    assert not verify_multiproof(root, leaves, proof, flags)


@given(trees, st.data())
def test_parts_cannot_be_left_out_added_or_repeated(
    leaves: list[bytes], data: st.DataObject
) -> None:
    tree = MerkleTree(leaves)
    index = data.draw(st.integers(0, len(leaves) - 1))
    proof = tree.proof(index)
    assert not verify(tree.root, leaves[index], (*proof, bytes(32)))
    if proof:
        assert not verify(tree.root, leaves[index], proof[:-1])
    made = tree.multiproof([index])
    assert not verify_multiproof(tree.root, made.leaves, (*made.proof, bytes(32)), made.flags)
    assert not verify_multiproof(tree.root, (*made.leaves, bytes(32)), made.proof, made.flags)
    assert not verify_multiproof(tree.root, made.leaves, made.proof, (*made.flags, False))


def test_no_leaves_prove_nothing_of_any_root() -> None:
    tree = MerkleTree([keccak256(b"a")])
    # OpenZeppelin 4.9.2 fixed the same: an empty multiproof whose one proof node is the root.
    assert not verify_multiproof(tree.root, [], [tree.root], [])
    assert not verify_multiproof(tree.root, [], [], [])


def test_an_inner_node_is_no_leaf() -> None:
    leaves = [leaf_hash(bytes([n]) * 64) for n in range(4)]
    tree = MerkleTree(leaves)
    pairs = [sorted(leaves)[:2], sorted(leaves)[2:]]
    for pair in pairs:
        assert not verify(tree.root, b"".join(pair), tree.proof(0)[1:])
        assert leaf_hash(b"".join(pair)) != keccak256(b"".join(pair))


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_a_leaf_or_node_of_another_length_holds_nothing(size: int) -> None:
    tree = MerkleTree([keccak256(b"a"), keccak256(b"b")])
    leaf = tree.leaf(0)
    assert not verify(tree.root, bytes(size), tree.proof(0))
    assert not verify(tree.root, leaf, [bytes(size)])
    assert not verify_multiproof(tree.root, [bytes(size)], tree.proof(0), [False])
    assert not verify_multiproof(tree.root, [leaf], [bytes(size)], [False])
    with pytest.raises(InvalidMerkleTree):
        MerkleTree([leaf, bytes(size)])


def test_bytes_moved_between_leaf_and_proof_hold_nothing() -> None:
    tree = MerkleTree([keccak256(b"a"), keccak256(b"b")])
    one, two = sorted((tree.leaf(0), tree.leaf(1)))
    assert verify(tree.root, one, [two])
    assert not verify(tree.root, one + two[:8], [two[8:]])
    assert not verify(tree.root, one[:24], [one[24:] + two])
    for cut in (8, 24, 40):
        leaf, node = (one + two)[:cut], (one + two)[cut:]
        assert not verify_multiproof(tree.root, [leaf], [node], [False])
        assert not verify_multiproof(tree.root, [leaf, node], [], [True])


def test_a_proof_of_absurd_length_is_not_even_hashed() -> None:
    tree = MerkleTree([keccak256(b"a")])
    at, proof = keccak256(b"a"), []
    for _ in range(MAX_PROOF_NODES + 1):
        proof.append(bytes(32))
        at = keccak256(min(at, bytes(32)) + max(at, bytes(32)))
    assert not verify(at, tree.root, proof)
    assert verify(tree.root, tree.root, [])


def test_a_tree_without_leaves_is_refused() -> None:
    with pytest.raises(InvalidMerkleTree):
        MerkleTree([])


@pytest.mark.parametrize("indices", [[], [0, 0], [1, 0, 1]])
def test_a_multiproof_of_nothing_or_of_one_leaf_twice_is_refused(indices: list[int]) -> None:
    tree = MerkleTree([keccak256(b"a"), keccak256(b"b")])
    with pytest.raises(InvalidMerkleProof):
        tree.multiproof(indices)


@pytest.mark.parametrize("index", [-1, 2])
def test_a_leaf_that_is_not_there_cannot_be_proved(index: int) -> None:
    tree = MerkleTree([keccak256(b"a"), keccak256(b"b")])
    for ask in (tree.proof, lambda i: tree.multiproof([i])):
        with pytest.raises(InvalidMerkleProof):
            ask(index)
