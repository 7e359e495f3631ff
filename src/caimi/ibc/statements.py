"""What a committee signs of a ledger, to the byte: checkpoints, absences and hand-overs.

EIP-712 typed data with the domain (name "CAIMI", version "1") and no chain id: one signature serves
every destination, on ledgers of every family. What it binds instead: the source gateway (`origin`),
the signing committee, the range of blocks, the time, and the Merkle root with its size.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Final

from eth_abi.abi import encode

from caimi.hashing import keccak256

MAX_MEMBERS: Final = 256
ABI_TYPES: Final = ("bytes32", "bytes32", "uint64", "uint64", "uint64", "bytes32", "uint32")
"""Of a statement's members: origin, committee, from, height, time, root and size."""
PROOF_TYPE: Final = f"(({','.join(ABI_TYPES)}),uint256,bytes,bytes32[],bool[])"
"""Of a committee's proof: statement, bitmap of signers, signatures, and a multiproof with flags."""
Members = tuple[bytes, bytes, int, int, int, bytes, int]
"""A statement's members, in order."""

_MEMBERS: Final = (
    "(bytes32 origin,bytes32 committee,uint64 from,uint64 height,uint64 time,bytes32 root,"
    "uint32 size)"
)
_DOMAIN_SEPARATOR: Final = keccak256(
    keccak256(b"EIP712Domain(string name,string version)") + keccak256(b"CAIMI") + keccak256(b"1")
)
_ROTATION_TYPE_HASH: Final = keccak256(
    b"Rotation(bytes32 origin,bytes32 committee,uint64 epoch,uint16 threshold,address[] members,"
    b"bytes operators)"
)


class Kind(Enum):
    """The two statements; the value is the EIP-712 type's name."""

    CHECKPOINT = "Checkpoint"
    ABSENCE = "Absence"


_TYPE_HASHES = {kind: keccak256((kind.value + _MEMBERS).encode()) for kind in Kind}


def statement_digest(kind: Kind, members: Members) -> bytes:
    """Give the EIP-712 digest that validators sign."""
    return _digest(keccak256(_TYPE_HASHES[kind] + encode(ABI_TYPES, members)))


def committee_hash(epoch: int, threshold: int, members: Sequence[bytes], operators: bytes) -> bytes:
    """Name a committee in statements.

    It is keccak256(abi.encode(epoch, threshold, members, operators)).
    """
    return keccak256(
        encode(
            ("uint64", "uint16", "address[]", "bytes"),
            (epoch, threshold, [f"0x{member.hex()}" for member in members], operators),
        )
    )


def handover_digest(
    origin: bytes, current: bytes, epoch: int, following: tuple[int, Sequence[bytes], bytes]
) -> bytes:
    """Give the EIP-712 digest by which the committee of hash `current` hands over.

    `following` are the threshold, the members and their operators of the committee of `epoch`.
    """
    threshold, members, operators = following
    struct = encode(
        ("bytes32", "bytes32", "bytes32", "uint64", "uint16", "bytes32", "bytes32"),
        (
            _ROTATION_TYPE_HASH,
            origin,
            current,
            epoch,
            threshold,
            keccak256(b"".join(bytes(12) + member for member in members)),
            keccak256(operators),
        ),
    )
    return _digest(keccak256(struct))


def _digest(struct: bytes) -> bytes:
    return keccak256(b"\x19\x01" + _DOMAIN_SEPARATOR + struct)
