"""A light client that decides about proofs as `CommitteeClient.sol` does, to judge ours by.

It shares no code with `caimi.messaging.proof`, nor with `caimi.contracts`: it decodes the ABI, has
eth-account make the EIP-712 digest, and folds the multiproof as OpenZeppelin's contract does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from eth_account import Account
from eth_account.messages import encode_typed_data

from caimi.errors.ledgers import ProofRefused
from caimi.hashing import keccak256
from caimi.ibc.statements import Kind
from caimi.ledgers.port import Committee

MAX_CLOCK_DRIFT = 600
HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
PROOF_TYPE = (
    "((bytes32,bytes32,uint64,uint64,uint64,bytes32,uint32),uint256,bytes,bytes32[],bool[])"
)
MEMBERS = [
    {"name": "origin", "type": "bytes32"},
    {"name": "committee", "type": "bytes32"},
    {"name": "from", "type": "uint64"},
    {"name": "height", "type": "uint64"},
    {"name": "time", "type": "uint64"},
    {"name": "root", "type": "bytes32"},
    {"name": "size", "type": "uint32"},
]


@dataclass
class IndependentClient:
    """Says whether a committee's proof proves facts of the ledger behind `origin`."""

    origin: bytes
    committee: Committee
    valid_until: int = (1 << 64) - 1

    def verify(
        self, kind: Kind, keys: Sequence[bytes], values: Sequence[bytes], proof: bytes, now: int
    ) -> int:
        """Give the proved time; raises `ProofRefused`."""
        try:
            (decoded,) = decode((PROOF_TYPE,), proof)
        except (DecodingError, OverflowError) as error:
            raise ProofRefused("not an ABI encoding") from error
        members, signers, signatures, siblings, flags = decoded
        origin, committee, start, height, time, root, size = members
        _require(time <= now + MAX_CLOCK_DRIFT, "FutureTime")
        _require(origin == self.origin, "WrongOrigin")
        _require(committee == self.committee.hash, "UnknownCommittee")
        _require(now <= self.valid_until, "CommitteeExpired")
        self._check_signatures(typed_data(kind, members), signers, signatures)
        _require((height > start) == (kind is Kind.CHECKPOINT), "InvalidCheckpoint")
        _require(height >= start, "InvalidCheckpoint")
        absent = kind is Kind.ABSENCE
        _require(absent or all(value != bytes(32) for value in values), "ZeroValue")
        _require(0 < len(keys) <= size and root != bytes(32), "InvalidLeaves")
        leaves = [keccak256(keccak256(k + v)) for k, v in zip(keys, values, strict=True)]
        _require(_fold(leaves, siblings, flags) == root, "InvalidMerkleProof")
        return int(time)

    def _check_signatures(self, message: Any, signers: int, signatures: bytes) -> None:
        members = self.committee.members
        _require(signers >> len(members) == 0, "UnknownSigner")
        chosen = [member for place, member in enumerate(members) if signers >> place & 1]
        _require(len(signatures) == 65 * len(chosen), "InvalidSignaturesLength")
        for place, member in enumerate(chosen):
            signature = signatures[65 * place : 65 * place + 65]
            low = int.from_bytes(signature[32:64]) <= HALF_ORDER
            _require(low and signature[64] in (27, 28), "InvalidSignature")
            try:
                account = Account.recover_message(message, signature=signature)
            except Exception as error:  # whatever eth-account finds wrong with it
                raise ProofRefused("InvalidSignature") from error
            _require(bytes.fromhex(account[2:]) == member, "InvalidSignature")
        _require(len(chosen) >= self.committee.threshold, "TooFewSignatures")


def _require(condition: bool, error: str) -> None:
    if not condition:
        raise ProofRefused(error, error=error)


def typed_data(kind: Kind, values: Sequence[Any]) -> Any:
    return encode_typed_data(
        domain_data={"name": "CAIMI", "version": "1"},
        message_types={kind.value: MEMBERS},
        message_data={m["name"]: value for m, value in zip(MEMBERS, values, strict=True)},
    )


def _fold(leaves: list[bytes], proof: Sequence[bytes], flags: Sequence[bool]) -> bytes:
    """OpenZeppelin's MerkleProof.processMultiProof."""
    _require(len(leaves) + len(proof) == len(flags) + 1, "InvalidMerkleProof")
    if not flags:
        return leaves[0] if leaves else proof[0]
    queue = list(leaves)
    rest = list(proof)
    try:
        for flag in flags:
            one = queue.pop(0)
            two = queue.pop(0) if flag else rest.pop(0)
            queue.append(keccak256(min(one, two) + max(one, two)))
    except IndexError as error:
        raise ProofRefused("InvalidMerkleProof") from error
    _require(not rest, "InvalidMerkleProof")
    return queue[-1]
