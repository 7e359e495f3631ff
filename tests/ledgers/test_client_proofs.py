"""Proofs for composites and storage, against what was recorded and what a contract refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from eth_abi.abi import decode
from hypothesis import given
from hypothesis import strategies as st

from caimi.errors.messaging import InvalidProof
from caimi.ledgers.client_proofs import StateProof, composite_proof, optimistic_proof

RECORDED = json.loads(
    (Path(__file__).parents[2] / "contracts" / "vectors" / "state_proofs.json").read_text()
)


def raw(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def recorded(part: str) -> StateProof:
    slots = tuple(tuple(raw(node) for node in each["proof"]) for each in RECORDED[part])
    return StateProof(
        raw(RECORDED["header"]), tuple(raw(node) for node in RECORDED["account"]), slots
    )


def test_recorded_proofs_are_encoded_as_the_contract_was_given_them() -> None:
    trusted = raw(RECORDED["trusted"])
    assert recorded("sent").membership(trusted) == raw(RECORDED["membership"])
    absence = recorded("missing").absence(trusted, RECORDED["client"], (1, 2, 3))
    assert absence == raw(RECORDED["absence"])
    assert recorded("sent").block_hash == raw(RECORDED["hash"])


def test_absence_names_one_packet_for_each_slot() -> None:
    with pytest.raises(InvalidProof, match="2 packets do not fit 3 slots"):
        recorded("missing").absence(b"", "caimi-1-0", (1, 2))


@given(st.lists(st.none() | st.binary(min_size=1, max_size=100), max_size=16))
def test_a_composites_proof_has_a_place_for_every_member(proofs: list[bytes | None]) -> None:
    (places,) = decode(("bytes[]",), composite_proof(proofs))
    assert [place or None for place in places] == proofs


def test_a_composite_takes_no_seventeenth_member_and_no_empty_proof() -> None:
    with pytest.raises(InvalidProof, match="17"):
        composite_proof([None] * 17)
    with pytest.raises(InvalidProof, match="empty"):
        composite_proof([b"a", b""])


def test_an_optimistic_proof_names_its_claim() -> None:
    ((claim, proof, flags),) = decode(
        ("(uint64,bytes32[],bool[])",), optimistic_proof(7, [b"\x01" * 32], [True, False])
    )
    assert (claim, proof, flags) == (7, (b"\x01" * 32,), (True, False))
