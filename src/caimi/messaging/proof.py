"""From a ledger's events to a statement, and from signed statements to a proof for a gateway."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from eth_abi.abi import encode

from caimi.errors.messaging import InvalidProof, NothingToAttest
from caimi.hashing import keccak256
from caimi.ibc.commitments import acknowledgement_commitment, packet_commitment
from caimi.ibc.path import Path
from caimi.ibc.statements import PROOF_TYPE, Kind
from caimi.ledgers.port import Block, Committee, SentPacket, WrittenAcknowledgement
from caimi.merkle import MerkleTree, Multiproof, leaf_hash
from caimi.messaging.checkpoint import LedgerStatement

ABSENT: Final = bytes(32)
_BLOCKS: Final = b"blocks/"


@dataclass(frozen=True, slots=True)
class Tree:
    """Facts of one ledger, as (key, value) pairs, under one Merkle root."""

    keys: tuple[bytes, ...]
    merkle: MerkleTree

    @classmethod
    def of(cls, facts: Sequence[tuple[bytes, bytes]]) -> Tree:
        """Build the tree.

        Raises:
            NothingToAttest: there are no facts.
        """
        if not facts:
            raise NothingToAttest("There is nothing in that range.")
        return cls(
            tuple(key for key, _ in facts),
            MerkleTree(leaf_hash(key + value) for key, value in facts),
        )

    def prove(self, keys: Sequence[bytes]) -> Multiproof:
        """Prove the facts at `keys`.

        Raises:
            InvalidProof: a key is not in the tree.
        """
        places = {key: place for place, key in enumerate(self.keys)}
        try:
            return self.merkle.multiproof([places[key] for key in keys])
        except KeyError as error:
            raise InvalidProof("A key is not in the tree.") from error


def block_key(height: int) -> bytes:
    """Give the key of a block's hash in a checkpoint's tree.

    A slash cannot stand in a client id, so no packet's key is the hash of such bytes.
    """
    return keccak256(_BLOCKS + height.to_bytes(8, "big"))


def block_fact(block: Block) -> tuple[bytes, bytes]:
    """Give the fact that every checkpoint states of its last block: its hash."""
    return block_key(block.height), block.hash


def range_facts(
    sent: Sequence[SentPacket], written: Sequence[WrittenAcknowledgement]
) -> list[tuple[bytes, bytes]]:
    """Give a checkpoint's facts besides `block_fact`: what was sent and written in its range."""
    packets = [
        (
            Path.commitment(entry.packet.source_client, entry.packet.sequence).key,
            packet_commitment(entry.packet),
        )
        for entry in sent
    ]
    return packets + [
        (
            Path.acknowledgement(entry.dest_client, entry.sequence).key,
            acknowledgement_commitment(entry.acknowledgements),
        )
        for entry in written
    ]


def absence_facts(packets: Sequence[tuple[str, int]]) -> list[tuple[bytes, bytes]]:
    """Give an absence's facts: nothing at each (destination client, sequence)'s receipt."""
    return [(Path.receipt(client, sequence).key, ABSENT) for client, sequence in packets]


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof's bytes, and the order in which the call must name what was asked to be proved."""

    data: bytes
    order: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SignedStatement:
    """A statement with enough signatures, by the members' places in the committee."""

    statement: LedgerStatement
    signatures: Mapping[int, bytes]

    def prove(self, tree: Tree, keys: Sequence[bytes]) -> Proof:
        """Prove `keys`, which must be in the tree, as `abi.encode(CommitteeProof)`.

        Raises:
            InvalidProof: the tree is not the statement's, or a key is not in it.
        """
        if tree.merkle.root != self.statement.root:
            raise InvalidProof("The tree's root is not the signed one.")
        proved = tree.prove(keys)
        chosen = sorted(self.signatures)
        value = (
            self.statement.fields,
            sum(1 << place for place in chosen),
            b"".join(self.signatures[place] for place in chosen),
            proved.proof,
            proved.flags,
        )
        return Proof(encode((PROOF_TYPE,), (value,)), proved.order)


def statement_of(
    kind: Kind,
    origin: bytes,
    committee: Committee,
    blocks: tuple[int, int],
    time: int,
    tree: Tree,
) -> LedgerStatement:
    """State that `tree` is what `origin`'s ledger says of blocks (from, height]."""
    return LedgerStatement(
        kind, origin, committee.hash, *blocks, time, tree.merkle.root, len(tree.keys)
    )
