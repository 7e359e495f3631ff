"""What validators sign: checkpoints over a ledger's packets, and absences.

EIP-712 typed data with the domain (name "CAIMI", version "1") and no chain id: one signature serves
every destination. What it binds instead: the source gateway (`origin`), the signing committee, the
range of blocks, the time, and the Merkle root with its size. `CommitteeClient.sol` does the same.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from caimi.errors.messaging import InvalidCheckpoint
from caimi.ibc.statements import (
    MAX_MEMBERS,
    Kind,
    Members,
    committee_hash,
    handover_digest,
    statement_digest,
)
from caimi.ledgers.port import Committee
from caimi.messaging.hex_field import hex_field
from caimi.signatures import SIGNATURE_BYTES, MalformedSignature, recover_account

_hex: Final = partial(hex_field, InvalidCheckpoint)


@dataclass(frozen=True, slots=True)
class LedgerStatement:
    """One statement about a ledger.

    A checkpoint's `root` is over the gateway's packets and acknowledgements in blocks
    (`from_height`, `height`]; an absence's is over keys that hold nothing at `height`, which then
    equals `from_height`. `time` is block `height`'s, in seconds.
    """

    kind: Kind
    origin: bytes
    committee: bytes
    from_height: int
    height: int
    time: int
    root: bytes
    size: int

    def __post_init__(self) -> None:
        if any(len(field) != 32 for field in (self.origin, self.committee, self.root)):
            raise InvalidCheckpoint("Origin, committee and root have 32 bytes each.")
        if any(not 0 <= n < 1 << 64 for n in (self.from_height, self.height, self.time)):
            raise InvalidCheckpoint("Heights and time are unsigned 64-bit numbers.")
        if not 1 <= self.size < 1 << 32 or self.root == bytes(32):
            raise InvalidCheckpoint("An empty tree is never signed.")
        if (self.kind is Kind.CHECKPOINT) != (self.from_height < self.height):
            raise InvalidCheckpoint(
                f"A {self.kind.value} cannot be of blocks ({self.from_height}, {self.height}]."
            )

    @property
    def fields(self) -> Members:
        """The members of the Solidity struct `Checkpoint`, in order."""
        return (
            self.origin,
            self.committee,
            self.from_height,
            self.height,
            self.time,
            self.root,
            self.size,
        )

    @property
    def digest(self) -> bytes:
        """The EIP-712 digest that validators sign."""
        return statement_digest(self.kind, self.fields)


@dataclass(frozen=True, slots=True)
class Attestation:
    """A statement with one validator's signature (r, s, v: 65 bytes)."""

    statement: LedgerStatement
    signature: bytes

    def signer(self) -> bytes:
        """Recover the signing account, 20 bytes.

        Raises:
            InvalidCheckpoint: the signature is malformed.
        """
        return recover(self.statement.digest, self.signature)

    def to_json(self) -> str:
        """Write the JSON form."""
        said = self.statement
        return json.dumps(
            {
                "kind": said.kind.value,
                "origin": f"0x{said.origin.hex()}",
                "committee": f"0x{said.committee.hex()}",
                "from": said.from_height,
                "height": said.height,
                "time": said.time,
                "root": f"0x{said.root.hex()}",
                "size": said.size,
                "signature": f"0x{self.signature.hex()}",
            }
        )

    @classmethod
    def from_document(cls, document: object) -> Attestation:
        """Take a parsed JSON form, strictly.

        Raises:
            InvalidCheckpoint: it is something else.
        """
        match document:
            case {
                "kind": str(kind),
                "origin": str(origin),
                "committee": str(committee),
                "from": int(from_height),
                "height": int(height),
                "time": int(time),
                "root": str(root),
                "size": int(size),
                "signature": str(signature),
                **rest,
            } if (
                not rest
                and kind in {member.value for member in Kind}
                # JSON's true is a Python integer.
                and bool not in map(type, (from_height, height, time, size))
            ):
                statement = LedgerStatement(
                    Kind(kind),
                    _hex(origin, 32),
                    _hex(committee, 32),
                    from_height,
                    height,
                    time,
                    _hex(root, 32),
                    size,
                )
                return cls(statement, _hex(signature, SIGNATURE_BYTES))
        raise InvalidCheckpoint("An attestation does not have the fields it must have.")


def rotation_digest(origin: bytes, current: bytes, following: Committee) -> bytes:
    """Give the EIP-712 digest by which the committee of hash `current` hands over.

    `origin` is that of the checkpoints: one rotation is for the clients of one gateway everywhere.
    """
    committee = (following.threshold, following.members, following.operators)
    return handover_digest(origin, current, following.epoch, committee)


def make_committee(
    epoch: int,
    threshold: int,
    members: Sequence[bytes],
    operators: Mapping[bytes, int] | None = None,
) -> Committee:
    """Make a committee of accounts, sorted the way the contracts keep them.

    `operators` numbers (0 to 255) who runs each member; without it each is its own operator.

    Raises:
        InvalidCheckpoint: the threshold is below 2 or no majority, a member is listed twice, or
            one operator's members alone reach the threshold.
    """
    ordered = tuple(sorted(members))
    if len(set(ordered)) != len(ordered) or any(len(member) != 20 for member in ordered):
        raise InvalidCheckpoint("A committee has different members of 20 bytes each.")
    if not 2 <= threshold <= len(ordered) or 2 * threshold <= len(ordered):
        raise InvalidCheckpoint(
            f"A threshold of {threshold} among {len(ordered)} is below 2 or no majority."
        )
    if len(ordered) > MAX_MEMBERS:
        raise InvalidCheckpoint(f"{len(ordered)} members are more than {MAX_MEMBERS}.")
    run = (
        {member: place for place, member in enumerate(ordered)} if operators is None else operators
    )
    if run.keys() != set(ordered) or not all(0 <= number < 256 for number in run.values()):
        raise InvalidCheckpoint("Each member has one operator, numbered 0 to 255.")
    ids = bytes(run[member] for member in ordered)
    operator, count = Counter(ids).most_common(1)[0]
    if count >= threshold:
        raise InvalidCheckpoint(
            f"Operator {operator} runs {count} members, and {threshold} are enough."
        )
    digest = committee_hash(epoch, threshold, ordered, ids)
    return Committee(epoch, threshold, ordered, ids, digest)


def recover(digest: bytes, signature: bytes) -> bytes:
    """Recover the account that signed `digest`; only the one low-s form with v 27 or 28 is taken.

    Raises:
        InvalidCheckpoint: the signature is malformed.
    """
    try:
        return recover_account(digest, signature)
    except MalformedSignature as error:
        raise InvalidCheckpoint(str(error)) from error
