"""Finality, fees, quantities, encodings, signed transactions and records: what needs no ledger."""

from __future__ import annotations

import json

import pytest
import rlp
from eth_abi import encode as reference_encode
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from caimi.errors.ledgers import (
    ArtifactMissing,
    CallInvalid,
    DeploymentInvalid,
    FeeAboveCap,
    FinalityInvalid,
    LedgerAnswerInvalid,
    PriceChanged,
    TransactionReverted,
)
from caimi.hashing import keccak256
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.abi.calls import EvmCall, contract_creation, nothing
from caimi.ledgers.evm.abi.interface import decode, encode
from caimi.ledgers.evm.abi.quantities import data, fields, hexed, quantity
from caimi.ledgers.evm.artifacts import CONTRACTS, artifact
from caimi.ledgers.evm.deployment import NAMES, Deployment
from caimi.ledgers.evm.rpc.connect import evm_ledger
from caimi.ledgers.evm.rpc.finality import Depth, Finalized, parse_finality
from caimi.ledgers.evm.rpc.reverts import NAMED, known_errors, reverted
from caimi.ledgers.evm.transactions.fees import FeePolicy, Fees
from caimi.ledgers.evm.transactions.outgoing import read_signed, sender_of, sign_call
from caimi.ledgers.port import LedgerId, SignedCall

WEI = st.integers(0, 10**12)
EIP155_7 = LedgerId("eip155:7")


# --- finality -------------------------------------------------------------------------------------


@given(st.integers(0, 999_999), st.integers(0, 10**9))
def test_a_depth_never_trusts_less_than_so_many_blocks(depth: int, head: int):
    policy = parse_finality(f"depth:{depth}")
    assert isinstance(policy, Depth)
    assert str(policy) == f"depth:{depth}"
    height = policy.height(head)
    assert height == 0 or head - height == depth


def test_the_finalized_tag_is_a_policy():
    assert parse_finality("finalized") == Finalized()
    assert str(Finalized()) == "finalized"


@pytest.mark.parametrize("text", ["", "depth", "depth:", "depth:-1", "depth:1000000", "Finalized"])
def test_another_finality_is_refused(text: str):
    with pytest.raises(FinalityInvalid):
        parse_finality(text)


# --- fees -----------------------------------------------------------------------------------------


@given(WEI, WEI)
def test_an_offer_stays_under_the_cap_and_covers_the_base_fee(base: int, tip: int):
    policy = FeePolicy()
    try:
        fees = policy.offer(base, tip)
    except FeeAboveCap:
        assert base + min(tip, policy.tip_cap) > policy.cap
        return
    assert base + fees.tip <= fees.most <= policy.cap
    assert fees.tip <= policy.tip_cap


@given(WEI, WEI, WEI, WEI)
def test_a_replacement_offers_an_eighth_more_of_both(most: int, tip: int, base: int, now: int):
    policy = FeePolicy(cap=10**13, tip_cap=10**13)
    earlier = Fees(max(most, tip), tip)
    fees = policy.replace(earlier, base, now)
    assert 8 * fees.most >= 9 * earlier.most
    assert 8 * fees.tip >= 9 * earlier.tip
    assert base + now <= fees.most
    assert fees.tip <= fees.most


def test_a_replacement_above_the_cap_is_refused():
    with pytest.raises(FeeAboveCap, match="cap is 100 wei"):
        FeePolicy(cap=100).replace(Fees(95, 1), 1, 1)


# --- quantities -----------------------------------------------------------------------------------


@given(st.integers(0, 2**256 - 1))
def test_quantities_are_read_back(number: int):
    assert quantity(hex(number)) == number


@pytest.mark.parametrize("value", ["", "0x", "0x00", "0x01", "1", 1, None, "0xg", "0x" + "f" * 65])
def test_what_is_no_quantity_is_refused(value: object):
    with pytest.raises(LedgerAnswerInvalid):
        quantity(value)


@pytest.mark.parametrize("value", ["", "0x1", "00", "0xzz", None, 7, "0x00\n"])
def test_what_is_no_data_is_refused(value: object):
    with pytest.raises(LedgerAnswerInvalid):
        data(value)


def test_data_of_another_size_and_missing_fields_are_refused():
    with pytest.raises(LedgerAnswerInvalid, match="32 bytes"):
        data("0x00", 32)
    with pytest.raises(LedgerAnswerInvalid, match="'b'"):
        fields({"a": 1}, "a", "b")
    with pytest.raises(LedgerAnswerInvalid, match="object"):
        fields([], "a")


# --- encodings ------------------------------------------------------------------------------------

PACKETS = [
    "string",
    "(uint64,string,string,uint64,(string,string,string,string,bytes)[])[]",
    "bytes",
]
TEXT = st.text(max_size=20)
PAYLOAD = st.tuples(TEXT, TEXT, TEXT, TEXT, st.binary(max_size=40))
PACKET = st.tuples(
    st.integers(0, 2**64 - 1), TEXT, TEXT, st.integers(0, 2**64 - 1), st.lists(PAYLOAD, max_size=2)
)


@given(TEXT, st.lists(PACKET, max_size=3), st.binary(max_size=50))
def test_packets_are_encoded_as_the_reference_does_and_read_back(client, packets, proof):
    values = [client, packets, proof]
    encoded = encode(PACKETS, values)
    assert encoded == reference_encode(PACKETS, values)
    decoded = decode(PACKETS, encoded)
    assert decoded[0] == client
    assert decoded[1] == tuple((*p[:4], tuple(p[4])) for p in packets)


@given(st.binary(min_size=20, max_size=20))
def test_addresses_are_twenty_bytes_both_ways(address: bytes):
    encoded = encode(["address"], [address])
    assert encoded == reference_encode(["address"], [address])
    assert decode(["address"], encoded) == (address,)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("address", b"\1" * 19),
        ("address", "0x" + "11" * 20),
        ("uint64", 2**64),
        ("uint64", -1),
        ("bytes32", b"\1" * 33),
        ("string", b"x"),
        ("bool", 2),
    ],
)
def test_a_value_that_does_not_fit_is_refused(kind: str, value: object):
    with pytest.raises(CallInvalid):
        encode([kind], [value])


def test_selectors_and_topics_are_the_standard_ones():
    registry = artifact("ModelRegistry").interface
    assert registry["transferFrom"].selector.hex() == "23b872dd"
    assert registry.events["Transfer"].topic == keccak256(b"Transfer(address,address,uint256)")


def test_an_output_of_another_type_is_refused():
    method = artifact("ModelRegistry").interface["ownerOf"]
    for output in (b"", b"\1" * 31, b"\xff" * 32):
        with pytest.raises(LedgerAnswerInvalid, match="ownerOf"):
            method.decode(output)


def test_every_contract_is_shipped_and_another_is_not():
    for name in CONTRACTS:
        assert len(artifact(name).bytecode) > 500
    with pytest.raises(ArtifactMissing, match="NoSuchContract"):
        artifact("NoSuchContract")


# --- reverts --------------------------------------------------------------------------------------


def test_a_custom_error_is_named_with_its_arguments():
    (error,) = [e for e in known_errors().values() if e.name == "PriceChanged"]
    kinds = [kind for _, kind in error.parameters]
    output = error.selector + encode(kinds, [5, True, 6])
    refusal = reverted("Buying", output)
    assert isinstance(refusal, PriceChanged)
    assert refusal.arguments == (5, True, 6)
    assert "PriceChanged(modelId 0x" in refusal.what
    assert refusal.what.endswith("offered True, current 6).")


def test_every_named_error_is_one_of_the_contracts():
    assert NAMED.keys() <= {error.name for error in known_errors().values()}


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (b"", "no reason given"),
        (b"\1\2\3\4\5", "0x0102030405"),
        (bytes.fromhex("08c379a0") + encode(["string"], ["too late"]), "too late"),
        (bytes.fromhex("4e487b71") + encode(["uint256"], [17]), "Panic(code 17)"),
        (bytes.fromhex("08c379a0") + b"\xff" * 10, "malformed arguments"),
    ],
)
def test_other_reverts_say_what_they_can(output: bytes, said: str):
    refusal = reverted("Buying", output)
    assert type(refusal) is TransactionReverted
    assert said in refusal.what


def test_a_long_reason_is_cut():
    output = bytes.fromhex("08c379a0") + encode(["string"], ["x" * 100_000])
    assert len(reverted("Buying", output).what) < 300


# --- signed transactions --------------------------------------------------------------------------


@given(
    st.binary(min_size=32, max_size=32).filter(lambda s: 0 < int.from_bytes(s) < 2**255),
    st.sampled_from([b"", b"\x05" * 20]),
    st.binary(max_size=100),
    st.integers(0, 10**20),
    st.integers(0, 1000),
)
def test_a_transaction_is_signed_as_eth_account_does(secret, target, payload, value, nonce):
    call = EvmCall(EIP155_7, "x", target, payload, value, nothing)
    attempt = sign_call(
        call, LocalSigner(secret), number=7, nonce=nonce, gas=50_000, fees=Fees(9, 2)
    )
    reference = Account.sign_transaction(
        {
            "type": 2,
            "chainId": 7,
            "nonce": nonce,
            "gas": 50_000,
            "maxFeePerGas": 9,
            "maxPriorityFeePerGas": 2,
            "value": value,
            "data": payload,
            **({"to": "0x" + target.hex()} if target else {}),
        },
        secret,
    )
    assert attempt.signed.raw == bytes(reference.raw_transaction)
    assert attempt.tx == "0x" + bytes(reference.hash).hex()
    assert read_signed(attempt.signed, 7) == attempt
    assert sender_of(attempt.signed) == LocalSigner(secret).account


def test_a_recorded_transaction_of_another_chain_or_damaged_is_refused():
    signer = LocalSigner.generate()
    signed = sign_call(
        contract_creation(EIP155_7, "x", b""), signer, number=7, nonce=0, gas=1, fees=Fees(1, 1)
    ).signed
    with pytest.raises(CallInvalid, match="for chain 7"):
        read_signed(signed, 8)
    for raw in (b"", signed.raw[:-1], signed.raw + b"\0", b"\1" + signed.raw[1:], b"\x02\xc0"):
        with pytest.raises(CallInvalid, match="damaged"):
            read_signed(SignedCall(EIP155_7, "x", signed.tx, raw), 7)


@pytest.mark.parametrize("place", range(8))
def test_a_recorded_transaction_with_a_list_for_a_number_is_refused(place: int):
    fields: list[object] = [b"\7", *([b"\1"] * 11)]
    fields[place] = [b"\7"]
    raw = b"\x02" + rlp.encode(fields)
    with pytest.raises(CallInvalid, match="damaged"):
        read_signed(SignedCall(EIP155_7, "x", hexed(keccak256(raw)), raw), 7)


@pytest.mark.parametrize("raw", ["0242424242", "02d865070101", "02c0", "03c0", "f8", ""])
def test_what_is_no_signed_transaction_has_no_sender(raw: str):
    with pytest.raises(CallInvalid, match="damaged"):
        sender_of(SignedCall(EIP155_7, "x", "0x", bytes.fromhex(raw)))


# --- records --------------------------------------------------------------------------------------


@given(
    st.lists(st.binary(min_size=20, max_size=20), min_size=len(NAMES), max_size=len(NAMES)),
    st.integers(0, 2**40),
)
def test_a_deployment_is_read_back(addresses: list[bytes], height: int):
    made = Deployment(EIP155_7, dict(zip(NAMES, addresses, strict=True)), height)
    assert Deployment.from_dict(json.loads(json.dumps(made.as_dict()))) == made


GOOD = Deployment(EIP155_7, dict.fromkeys(NAMES, b"\1" * 20), 5).as_dict()


@pytest.mark.parametrize(
    "change",
    [
        {"id": 7},
        {"deployed_at": "5"},
        {"deployed_at": -1},
        {"contracts": []},
        {"contracts": {}},
        {"contracts": {**GOOD["contracts"], "market": "0x12"}},
        {"contracts": {**GOOD["contracts"], "market": 12}},
    ],
)
def test_an_incomplete_deployment_is_refused(change: dict):
    with pytest.raises(DeploymentInvalid):
        Deployment.from_dict({**GOOD, **change})


def test_a_ledger_of_another_family_is_refused():
    assert evm_ledger("eip155:7") == "eip155:7"
    with pytest.raises(CallInvalid, match="cosmos:hub"):
        evm_ledger("cosmos:hub")
