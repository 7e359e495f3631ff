"""Proofs of an EVM ledger's state: block headers in RLP, and what eth_getProof (EIP-1186) gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import rlp

from caimi.errors.ledgers import LedgerAnswerInvalid, LedgerRefused
from caimi.hashing import keccak256
from caimi.ledgers.client_proofs import StateProof
from caimi.ledgers.evm.abi.quantities import data, fields, hexed, quantity
from caimi.ledgers.evm.rpc.client import Rpc, RpcRefusal

MAX_NODES: Final = 65
MAX_NODE_BYTES: Final = 1_024

# The members of a header in their order: those of the first, then what forks appended. A number
# has as few bytes as hold it, a digest its own; None stands for any number of bytes.
_MEMBERS: Final[tuple[tuple[str, int | None], ...]] = (
    ("parentHash", 32),
    ("sha3Uncles", 32),
    ("miner", 20),
    ("stateRoot", 32),
    ("transactionsRoot", 32),
    ("receiptsRoot", 32),
    ("logsBloom", 256),
    ("difficulty", 0),
    ("number", 0),
    ("gasLimit", 0),
    ("gasUsed", 0),
    ("timestamp", 0),
    ("extraData", None),
    ("mixHash", 32),
    ("nonce", 8),
)
_APPENDED: Final[tuple[tuple[str, int | None], ...]] = (
    ("baseFeePerGas", 0),  # EIP-1559
    ("withdrawalsRoot", 32),  # EIP-4895
    ("blobGasUsed", 0),  # EIP-4844
    ("excessBlobGas", 0),
    ("parentBeaconBlockRoot", 32),  # EIP-4788
    ("requestsHash", 32),  # EIP-7685
)


def block_header(block: object) -> bytes:
    """Encode the header of a block as `eth_getBlockByNumber` gives it.

    Raises:
        LedgerAnswerInvalid: a member is missing or malformed, or the header does not hash to the
            block's hash (which it never does where headers have members unknown here).
    """
    (stated,) = fields(block, "hash")
    values = [
        _member(value, size)
        for value, (_, size) in zip(
            fields(block, *(name for name, _ in _MEMBERS)), _MEMBERS, strict=True
        )
    ]
    assert isinstance(block, dict)
    for name, size in _APPENDED:
        if block.get(name) is None:
            break
        values.append(_member(block[name], size))
    header: bytes = rlp.encode(values)
    if keccak256(header) != data(stated, 32):
        raise LedgerAnswerInvalid(f"The header of block {stated} has not the block's hash.")
    return header


def _member(value: object, size: int | None) -> bytes:
    if size == 0:
        number = quantity(value)
        return number.to_bytes((number.bit_length() + 7) // 8, "big")
    return data(value, size)


async def read_state_proof(
    rpc: Rpc, account: bytes, slots: Sequence[bytes], height: int
) -> StateProof:
    """Read what the state of block `height` says of `slots` (32 bytes each) of `account`.

    The nodes are not checked against the roots here: that is what the light client does.

    Raises:
        LedgerRefused: the node gives no proofs, or none of that height any more.
        LedgerAnswerInvalid: an answer is malformed, too large or of something else.
        LedgerUnavailable: it does not answer.
    """
    try:
        block = await rpc.ask("eth_getBlockByNumber", hex(height), False)
        proof = await rpc.ask(
            "eth_getProof", hexed(account), [hexed(slot) for slot in slots], hex(height)
        )
    except RpcRefusal as refusal:
        raise LedgerRefused(f"{rpc.name} gives no proof: {refusal.message}.") from refusal
    header = block_header(block)
    (number,) = fields(block, "number")
    if quantity(number) != height:
        raise LedgerAnswerInvalid(f"The node sent block {number} for block {height}.")
    nodes, stored = fields(proof, "accountProof", "storageProof")
    if not isinstance(stored, list) or len(stored) != len(slots):
        raise LedgerAnswerInvalid(f"The node sent no proofs of {len(slots)} slots.")
    return StateProof(
        header, _nodes(nodes), tuple(_slot(*each) for each in zip(stored, slots, strict=True))
    )


def _slot(entry: object, slot: bytes) -> tuple[bytes, ...]:
    key, nodes = fields(entry, "key", "proof")
    # Nodes write it as they got it or as a quantity.
    if not isinstance(key, str) or quantity(_shortened(key)) != int.from_bytes(slot, "big"):
        raise LedgerAnswerInvalid(f"The node sent a proof of {key!r:.80} for {hexed(slot)}.")
    return _nodes(nodes)


def _shortened(key: str) -> str:
    return f"0x{key.removeprefix('0x').lstrip('0') or '0'}"


def _nodes(value: object) -> tuple[bytes, ...]:
    if not isinstance(value, list) or len(value) > MAX_NODES:
        raise LedgerAnswerInvalid("The node sent no list of trie nodes, or too many.")
    nodes = tuple(data(node) for node in value)
    if any(len(node) > MAX_NODE_BYTES for node in nodes):
        raise LedgerAnswerInvalid("The node sent a trie node that is too large.")
    return nodes
