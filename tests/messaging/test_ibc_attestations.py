"""Attestations in ibc-go's format, against what eureka's published contract takes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from coincurve import PrivateKey
from eth_abi.abi import decode, encode
from hypothesis import given, settings
from hypothesis import strategies as st

from caimi.errors.messaging import InvalidProof
from caimi.hashing import keccak256
from caimi.messaging.ibc_attestations import (
    IbcAttestation,
    IbcStatement,
    PacketAttestation,
    StateAttestation,
    attestation_proof,
    enrolment_digest,
)

VECTORS = json.loads(
    (Path(__file__).parents[2] / "contracts" / "vectors" / "attestations.json").read_text()
)


def raw(text: str) -> bytes:
    return bytes.fromhex(text[2:])


STATE = StateAttestation(VECTORS["height"], VECTORS["time"])
PACKETS = PacketAttestation(
    VECTORS["height"],
    tuple(
        (keccak256(path.encode()), raw(commitment))
        for path, commitment in zip(VECTORS["paths"], VECTORS["commitments"], strict=True)
    ),
)
ABSENT = PacketAttestation(
    VECTORS["height"], ((keccak256(VECTORS["absentPath"].encode()), bytes(32)),)
)


def attest(statement: IbcStatement, key: str) -> IbcAttestation:
    signature = PrivateKey(int(key, 16).to_bytes(32)).sign_recoverable(
        statement.digest, hasher=None
    )
    return IbcAttestation(statement, signature[:64] + bytes([signature[64] + 27]))


@pytest.mark.parametrize(
    ("name", "statement"), [("state", STATE), ("membership", PACKETS), ("absence", ABSENT)]
)
def test_eureka_s_own_data_is_encoded_and_hashed_alike(name: str, statement: IbcStatement) -> None:
    vector = VECTORS[name]
    assert statement.data == raw(vector["data"])
    assert statement.digest == raw(vector["digest"])
    attestations = [attest(statement, key) for key in VECTORS["keys"][:2]]
    assert [each.signer() for each in attestations] == list(map(raw, VECTORS["attestors"][:2]))
    assert attestation_proof(attestations) == raw(vector["proof"])


def test_a_state_of_ibc_go_has_64_bytes() -> None:
    # ibc-go, modules/light-clients/attestations/abi_test.go
    words = (100).to_bytes(32) + (1_234_567_890).to_bytes(32)
    assert StateAttestation(100, 1_234_567_890).data == words


def test_an_enrolment_is_of_one_ledger() -> None:
    vector = VECTORS["enrolment"]
    assert enrolment_digest(vector["origin"].encode()) == raw(vector["digest"])
    assert enrolment_digest(b"cosmos:osmosis-1") != raw(vector["digest"])


def test_one_attestor_counts_once_and_for_one_statement() -> None:
    first, second = (attest(STATE, key) for key in VECTORS["keys"][:2])
    for bad in ([], [first, first], [first, attest(ABSENT, VECTORS["keys"][1])]):
        with pytest.raises(InvalidProof):
            attestation_proof(bad)
    assert attestation_proof([first, second]) != attestation_proof([second, first])


@settings(max_examples=25)
@given(
    st.integers(0, (1 << 64) - 1),
    st.lists(st.tuples(*[st.binary(min_size=32, max_size=32)] * 2), max_size=5),
)
def test_packets_are_one_tuple_as_solidity_encodes_it(
    height: int, packets: list[tuple[bytes, bytes]]
) -> None:
    data = PacketAttestation(height, tuple(packets)).data
    assert len(data) == 128 + 64 * len(packets)
    kind = "(uint64,(bytes32,bytes32)[])"
    assert data == encode((kind,), decode((kind,), data))
    assert decode((kind,), data) == ((height, tuple(packets)),)
