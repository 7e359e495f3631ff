"""Ids of tokens abroad, and how deep a packet must lie: pure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caimi.chains import InteroperableAddress
from caimi.errors.ledgers import CallInvalid
from caimi.hashing import keccak256
from caimi.ibc.packet import Packet, Payload
from caimi.ledgers.evm.abi.interface import encode
from caimi.ledgers.evm.facets.voyages import ready_height, token_id
from caimi.ledgers.port import LedgerId

MODEL = bytes(range(32))
ledgers = st.integers(1, 2**64).map(lambda number: LedgerId(f"eip155:{number}"))
paths = st.lists(ledgers, max_size=3).map(tuple)
heights = st.integers(0, 2**64 - 1)


def transfer(sent_at: int, min_depth: int, *, version: str = "caimi-model-3") -> Packet:
    stated = (5, 1, "1.0.0", bytes(31) + b"\1", 0, bytes(24))
    model = (b"\0\1", bytes(20), "m", [b"\0"], stated)
    value = encode(
        (
            "uint8",
            "((bytes,bytes,string,bytes[],(uint64,uint64,string,bytes32,uint64,bytes24)),bytes,bytes,uint64,uint64)",
        ),
        (1, (model, b"s", b"r", sent_at, min_depth)),
    )
    payload = Payload("model", "model", version, "application/x-solidity-abi", value)
    return Packet(1, "caimi-1-0", "caimi-2-0", 99, (payload,))


def test_at_home_and_after_a_direct_voyage_a_token_has_its_models_id() -> None:
    assert token_id(MODEL, ()) == MODEL


def test_a_path_is_hashed_as_the_abi_encoding_of_its_interoperable_addresses() -> None:
    """Written out by hand: the model, where the list begins, its length, two offsets, two hops."""
    words = [
        MODEL,
        (64).to_bytes(32),
        (2).to_bytes(32),
        (64).to_bytes(32),
        (128).to_bytes(32),
        (8).to_bytes(32),
        bytes.fromhex("00010000027a6a00").ljust(32, b"\0"),
        (7).to_bytes(32),
        bytes.fromhex("00010000010100").ljust(32, b"\0"),
    ]
    path = (LedgerId("eip155:31338"), LedgerId("eip155:1"))
    assert token_id(MODEL, path) == keccak256(b"".join(words))


@given(paths, paths)
def test_two_paths_never_share_a_token(
    one: tuple[LedgerId, ...], other: tuple[LedgerId, ...]
) -> None:
    assert (token_id(MODEL, one) == token_id(MODEL, other)) == (one == other)


def test_a_path_over_no_ledger_is_refused() -> None:
    with pytest.raises(CallInvalid, match="no path"):
        token_id(MODEL, (LedgerId("elsewhere"),))


@given(heights, heights)
def test_a_transfer_is_ready_as_deep_as_it_says(sent_at: int, min_depth: int) -> None:
    expected = sent_at + min_depth if min_depth else 0
    assert ready_height(transfer(sent_at, min_depth)) == expected


@pytest.mark.parametrize("version", ["caimi-model-2", "caimi-model-4"])
def test_other_packets_are_ready_at_once(version: str) -> None:
    assert ready_height(transfer(7, 5, version=version)) == 0


@given(st.binary(max_size=200))
def test_what_cannot_be_read_is_ready_at_once(value: bytes) -> None:
    payload = Payload("model", "model", "caimi-model-3", "application/x-solidity-abi", value)
    assert ready_height(Packet(1, "caimi-1-0", "caimi-2-0", 99, (payload,))) == 0


def test_an_interoperable_address_of_a_hop_names_no_account() -> None:
    assert InteroperableAddress.from_caip("eip155:1").to_bytes() == bytes.fromhex("00010000010100")
