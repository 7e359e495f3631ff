"""Headers and proofs of state: Ethereum's own, a live anvil's, and malformed answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import rlp
from trie.hexary import HexaryTrie

from caimi.errors.ledgers import LedgerAnswerInvalid, LedgerRefused
from caimi.hashing import keccak256
from caimi.ledgers.client_proofs import StateProof, commitment_slot
from caimi.ledgers.evm.abi.quantities import hexed
from caimi.ledgers.evm.local.anvil import AnvilOptions, running_anvil
from caimi.ledgers.evm.proofs.state_proofs import block_header, read_state_proof
from caimi.ledgers.evm.rpc.client import Rpc
from caimi.ledgers.evm.rpc.connect import http_chain
from caimi.ledgers.evm.rpc.finality import Depth
from caimi.ledgers.evm.rpc.provider import RpcAnswer
from caimi.loopback import free_port

MAINNET = json.loads(
    (Path(__file__).parents[2] / "contracts" / "vectors" / "mainnet.json").read_text()
)
HEIGHT = MAINNET["number"]
ACCOUNT = bytes.fromhex(MAINNET["account"][2:])
SLOT = bytes.fromhex(MAINNET["slot"][2:])
STATE_ROOT, STORAGE_ROOT = 3, 2


def walk(root: bytes, key: bytes, nodes: Sequence[bytes]) -> bytes:
    """What another implementation (py-trie) reads from the nodes."""
    decoded = [rlp.decode(node) for node in nodes]
    found = HexaryTrie.get_from_proof(root, keccak256(key), decoded)  # type: ignore[no-untyped-call]
    return bytes(found)


def storage_root(proof: StateProof, account: bytes) -> bytes:
    state_root = rlp.decode(proof.header)[STATE_ROOT]
    return bytes(rlp.decode(walk(state_root, account, proof.account))[STORAGE_ROOT])


class Recorded:
    """A node that answers as recorded."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self._answers = answers

    async def make_request(self, method: str, params: Any) -> RpcAnswer:
        answer = self._answers[method]
        if isinstance(answer, Exception):
            return {"jsonrpc": "2.0", "id": 1, "error": {"code": -32000, "message": str(answer)}}
        return {"jsonrpc": "2.0", "id": 1, "result": answer}


def proof_of(**changes: object) -> dict[str, object]:
    stored = {"key": MAINNET["slot"], "value": MAINNET["value"], "proof": MAINNET["storageProof"]}
    return {"accountProof": MAINNET["accountProof"], "storageProof": [stored]} | changes


def read(
    block: object = MAINNET["block"], proof: object = None, height: int = HEIGHT
) -> StateProof:
    answers = {
        "eth_getBlockByNumber": block,
        "eth_getProof": proof_of() if proof is None else proof,
    }
    rpc = Rpc(Recorded(answers), "a node")
    return asyncio.run(read_state_proof(rpc, ACCOUNT, [SLOT], height))


def test_a_header_of_ethereum_mainnet_has_the_blocks_hash() -> None:
    header = block_header(MAINNET["block"])
    assert hexed(keccak256(header)) == MAINNET["block"]["hash"]
    assert hexed(header) == MAINNET["header"]


def test_a_proof_of_ethereum_mainnet_leads_to_the_value() -> None:
    proof = read()
    assert hexed(proof.block_hash) == MAINNET["block"]["hash"]
    root = storage_root(proof, ACCOUNT)
    assert hexed(root) == MAINNET["storageHash"]
    assert hexed(rlp.decode(walk(root, SLOT, proof.slots[0]))) == MAINNET["value"]


@pytest.mark.parametrize(
    "changes",
    [
        {"stateRoot": "0x" + "00" * 32},
        {"stateRoot": "0x00"},
        {"number": "0x014e8d38"},
        {"timestamp": 1},
        {"nonce": "0x0"},
        {"extraData": "0x0"},
        {"hash": "0x" + "11" * 32},
        {"baseFeePerGas": None},
        {"requestsHash": "0x" + "00" * 32},
    ],
)
def test_a_header_that_is_not_the_blocks_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(LedgerAnswerInvalid):
        block_header(MAINNET["block"] | changes)


def test_a_block_without_a_member_is_refused() -> None:
    with pytest.raises(LedgerAnswerInvalid):
        block_header({k: v for k, v in MAINNET["block"].items() if k != "mixHash"})
    with pytest.raises(LedgerAnswerInvalid):
        block_header(None)


@pytest.mark.parametrize(
    "proof",
    [
        None,
        {"accountProof": []},
        proof_of(storageProof=[]),
        proof_of(storageProof=None),
        proof_of(storageProof=[{"key": "0x2", "proof": []}]),
        proof_of(storageProof=[{"key": 1, "proof": []}]),
        proof_of(storageProof=[{"key": "0x1"}]),
        proof_of(accountProof="0x"),
        proof_of(accountProof=["0x00"] * 66),
        proof_of(accountProof=["0x" + "00" * 1025]),
        proof_of(accountProof=["00"]),
    ],
    ids=range(11),
)
def test_a_malformed_proof_is_refused(proof: object) -> None:
    with pytest.raises(LedgerAnswerInvalid):
        read(proof="nothing" if proof is None else proof)


def test_another_block_than_the_one_asked_for_is_refused() -> None:
    with pytest.raises(LedgerAnswerInvalid, match="for block"):
        read(height=HEIGHT - 1)


def test_a_node_that_keeps_no_old_state_is_named() -> None:
    with pytest.raises(LedgerRefused, match="gives no proof: pruned"):
        read(proof=RuntimeError("pruned"))


@pytest.mark.anvil
def test_a_live_anvils_proofs_hold_for_what_is_there_and_what_is_not() -> None:
    gateway = bytes(19) + b"\x77"
    keys = [keccak256(b"key %d" % n) for n in range(30)]
    slots = [commitment_slot(key) for key in keys]

    async def ask() -> StateProof:
        options = AnvilOptions(31397, free_port())
        async with running_anvil(options, {}):
            chain = http_chain("eip155:31397", options.url, Depth(0))
            try:
                await chain.rpc.ask("anvil_setCode", hexed(gateway), "0x00")
                for key, slot in zip(keys[:20], slots, strict=False):
                    await chain.rpc.ask(
                        "anvil_setStorageAt", hexed(gateway), hexed(slot), hexed(key)
                    )
                await chain.rpc.ask("evm_mine")
                height = await chain.head_height()
                return await read_state_proof(chain.rpc, gateway, slots, height)
            finally:
                await chain.rpc.aclose()

    proof = asyncio.run(ask())
    root = storage_root(proof, gateway)
    for key, slot, nodes in zip(keys[:20], slots, proof.slots, strict=False):
        assert rlp.decode(walk(root, slot, nodes)) == key
    for slot, nodes in zip(slots[20:], proof.slots[20:], strict=True):
        assert walk(root, slot, nodes) == b""
