"""The proofs that a committee's light client reads: signed statements with Merkle multiproofs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError

from caimi.contracts.execution import refuse, require
from caimi.contracts.light_client import Fact, ProvedAt
from caimi.ibc.statements import PROOF_TYPE, Kind, Members, statement_digest
from caimi.merkle import leaf_hash, verify_multiproof

ABSENT = bytes(32)
_KINDS = (Kind.CHECKPOINT, Kind.ABSENCE)


@dataclass(frozen=True, slots=True)
class CheckpointSaid:
    """A statement as somebody handed it in: nothing of it is checked.

    `root` is over the gateway's packets and acknowledgements in blocks (`start`, `height`], or over
    keys that hold nothing at `height`, which then equals `start`. `time` is in seconds.
    """

    origin: bytes
    committee: bytes
    start: int
    height: int
    time: int
    root: bytes
    size: int

    @property
    def members(self) -> Members:
        """The statement's members, in order."""
        return (
            self.origin,
            self.committee,
            self.start,
            self.height,
            self.time,
            self.root,
            self.size,
        )

    @property
    def when(self) -> ProvedAt:
        """When its facts held."""
        return ProvedAt(self.height, self.time)


@dataclass(frozen=True, slots=True)
class CommitteeProof:
    """A statement, who signed it (`signers`, a bitmap over the members), and a multiproof."""

    said: CheckpointSaid
    signers: int
    signatures: bytes
    proof: tuple[bytes, ...]
    flags: tuple[bool, ...]

    @classmethod
    def read(cls, data: bytes) -> CommitteeProof:
        """Read abi.encode(CommitteeProof); refuses ``MalformedProof``."""
        (value,) = _decode((PROOF_TYPE,), data)
        return cls._of(value)

    @classmethod
    def read_evidence(cls, data: bytes) -> tuple[Kind, CommitteeProof]:
        """Read abi.encode(StatementKind, CommitteeProof); refuses ``MalformedProof``."""
        kind, value = _decode(("uint8", PROOF_TYPE), data)
        require(kind < len(_KINDS), "MalformedProof")
        return _KINDS[kind], cls._of(value)

    @classmethod
    def _of(cls, value: Any) -> CommitteeProof:  # noqa: ANN401 - as eth-abi gives it
        members, signers, signatures, proof, flags = value
        return cls(CheckpointSaid(*members), signers, signatures, tuple(proof), tuple(flags))

    def digest(self, kind: Kind) -> bytes:
        """Give what its signers signed, if they signed it as a statement of `kind`."""
        return statement_digest(kind, self.said.members)

    def check_membership(self, facts: Sequence[Fact]) -> None:
        """Let facts pass that are in the tree."""
        for index, (_, value) in enumerate(facts):
            require(any(value), "ZeroValue", index=index)
        require(self.said.height > self.said.start, "InvalidCheckpoint")
        self._check_leaves(facts)

    def check_absence(self, keys: Sequence[bytes]) -> None:
        """Let keys pass that hold nothing, as the tree says."""
        require(self.said.height == self.said.start, "InvalidCheckpoint")
        self._check_leaves([(key, ABSENT) for key in keys])

    def _check_leaves(self, facts: Sequence[Fact]) -> None:
        size, root = self.said.size, self.said.root
        fits = 0 < len(facts) <= size
        require(fits, "InvalidLeaves", keys=len(facts), values=len(facts), size=size)
        require(any(root), "InvalidCheckpoint")
        leaves = [leaf_hash(key + value) for key, value in facts]
        proved = verify_multiproof(root, leaves, self.proof, self.flags)
        require(proved, "InvalidMerkleProof")


def contradict(first: tuple[Kind, CheckpointSaid], second: tuple[Kind, CheckpointSaid]) -> bool:
    """Whether no ledger can be as both statements of one origin say.

    Two times of one height, a time that runs backwards, or two contents of one range of blocks.
    """
    (kind_a, a), (kind_b, b) = first, second
    if a.origin != b.origin:
        return False
    if a.height != b.height:
        earlier, later = (a, b) if a.height < b.height else (b, a)
        return earlier.time > later.time
    if a.time != b.time:
        return True
    checkpoints = kind_a is kind_b is Kind.CHECKPOINT
    return checkpoints and a.start == b.start and (a.root, a.size) != (b.root, b.size)


def _decode(types: tuple[str, ...], data: bytes) -> tuple[Any, ...]:
    try:
        return tuple(decode(types, data))
    except (DecodingError, OverflowError, ValueError):
        refuse("MalformedProof")
