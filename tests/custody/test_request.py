import json
from dataclasses import fields, replace

import pytest
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st
from share_requests import CONSUMERS, MODEL, NOW, is_by_consumer, new_consumer, signed_request
from trusted_dealer import deal

from caimi.custody.delivery import RecipientKey
from caimi.custody.group import ORDER
from caimi.custody.label import label_for
from caimi.custody.request import MAX_REQUEST_BYTES, ShareRequest, SignedShareRequest
from caimi.custody.tdh2 import encrypt
from caimi.errors.custody import (
    CustodyError,
    InvalidRequestSignature,
    MalformedEncoding,
    StaleRequest,
)

GROUP = deal(2, 3)[0].group
RECIPIENT = RecipientKey.generate()
CIPHERTEXT = encrypt(GROUP.public_key, b"key", label_for(MODEL, "1.0.0"))
CONSUMER = new_consumer()
SIGNED = signed_request(CIPHERTEXT, RECIPIENT, CONSUMER)


def test_the_signature_is_of_the_consumer_named():
    assert is_by_consumer(SIGNED)
    assert SIGNED.request.sign(CONSUMERS.wallet(CONSUMER[0])) == SIGNED


def test_a_wallet_that_shows_the_typed_data_signs_the_same_digest():
    account = Account.create()
    request = replace(SIGNED.request, consumer=f"eip155:31338:{account.address}")
    document = {
        "domain": {"name": "CAIMI", "version": "1"},
        "primaryType": "ShareRequest",
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
            ],
            "ShareRequest": [
                {"name": "ledger", "type": "string"},
                {"name": "modelId", "type": "bytes32"},
                {"name": "version", "type": "string"},
                {"name": "consumer", "type": "string"},
                {"name": "recipientKey", "type": "bytes"},
                {"name": "ciphertext", "type": "bytes"},
                {"name": "policy", "type": "bytes32"},
                {"name": "credentials", "type": "bytes32"},
                {"name": "nonce", "type": "bytes32"},
                {"name": "issuedAt", "type": "uint64"},
            ],
        },
        "message": {
            "ledger": request.ledger,
            "modelId": request.model_id,
            "version": request.version,
            "consumer": request.consumer,
            "recipientKey": request.hpke_public_key,
            "ciphertext": request.ciphertext,
            "policy": request.policy,
            "credentials": request.credentials_hash,
            "nonce": request.nonce,
            "issuedAt": request.issued_at,
        },
    }
    signature = bytes(account.sign_typed_data(full_message=document).signature)
    assert is_by_consumer(SignedShareRequest(request, signature))


@pytest.mark.parametrize(
    "change",
    [
        {"ledger": "eip155:1"},
        {"model_id": b"\x02" * 32},
        {"version": "1.0.1"},
        {"consumer": new_consumer()[1]},
        {"hpke_public_key": RecipientKey.generate().public_bytes},
        {"ciphertext": b"x"},
        {"policy": b"\x01" * 32},
        {"credentials": ("a",)},
        {"nonce": bytes(32)},
        {"issued_at": NOW + 1},
    ],
)
def test_every_field_is_signed(change):
    other = replace(SIGNED.request, **change)
    assert not is_by_consumer(replace(SIGNED, request=other))
    assert other.digest != SIGNED.request.digest


def test_an_evm_consumer_signs_the_digest_that_names_its_request():
    request = SIGNED.request
    assert request.digest == CONSUMERS.digest(request.statement)


CREDENTIALS = st.lists(
    st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=40),
    max_size=8,
    unique=True,
).map(tuple)


@given(CREDENTIALS, CREDENTIALS)
@settings(max_examples=60, deadline=None)
def test_no_two_presentations_hash_alike(first, second):
    one = replace(SIGNED.request, credentials=first)
    other = replace(SIGNED.request, credentials=second)
    assert (one.credentials_hash == other.credentials_hash) == (first == second)
    assert (one.digest == other.digest) == (first == second)


@given(CREDENTIALS, st.binary(min_size=32, max_size=32))
@settings(max_examples=30, deadline=None)
def test_credentials_and_policies_round_trip(credentials, policy):
    request = replace(SIGNED.request, credentials=credentials, policy=policy)
    signed = replace(SIGNED, request=request)
    assert SignedShareRequest.from_json(signed.to_json()) == signed


@pytest.mark.parametrize("worst", ['"', "\\", "x"])
def test_eight_credentials_of_16384_characters_fit_a_request_and_no_more(worst):
    most = tuple(f"{number}" + worst * 16_383 for number in range(8))
    signed = replace(SIGNED, request=replace(SIGNED.request, credentials=most))
    assert SignedShareRequest.from_json(signed.to_json()) == signed
    for wrong in ((*most, "9"), (worst * 16_385,)):
        with pytest.raises(MalformedEncoding):
            replace(SIGNED.request, credentials=wrong)


def test_the_largest_request_fits_its_bound():
    request = replace(
        SIGNED.request,
        version="\U0001f600" * 128,
        consumer=f"fabricxx:{'c' * 32}:{'a' * 128}",
        ciphertext=bytes(6144),
        credentials=tuple(f"{number}" + '"' * 16_383 for number in range(8)),
    )
    largest = SignedShareRequest(request, bytes(4096))
    assert len(largest.to_json()) <= MAX_REQUEST_BYTES
    assert SignedShareRequest.from_json(largest.to_json()) == largest


@pytest.mark.parametrize("wrong", ["1", "caimi/share-request/1", "caimi/share-request/3"])
def test_a_request_of_another_format_is_refused(wrong):
    with pytest.raises(MalformedEncoding, match="format must be caimi/share-request/2"):
        SignedShareRequest.from_json(json.dumps({**DOCUMENT, "format": wrong}))


def test_a_request_of_the_format_before_is_refused():
    before = {k: v for k, v in DOCUMENT.items() if k not in ("format", "policy", "credentials")}
    with pytest.raises(MalformedEncoding, match="credentials"):
        SignedShareRequest.from_json(json.dumps(before))


@pytest.mark.parametrize("wrong", ["ab", {"0": "a"}, [1], [["a"]], ["a", "a"], [""], ["ä"], ["\n"]])
def test_credentials_have_one_form(wrong):
    with pytest.raises(MalformedEncoding):
        SignedShareRequest.from_json(json.dumps({**DOCUMENT, "credentials": wrong}))


def test_signing_for_somebody_else_is_refused():
    with pytest.raises(InvalidRequestSignature):
        SIGNED.request.sign(CONSUMERS.wallet(new_consumer()[0]))


r, s, v = SIGNED.signature[:32], int.from_bytes(SIGNED.signature[32:64]), SIGNED.signature[64]


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        bytes(65),
        SIGNED.signature[:64],
        SIGNED.signature + b"\x00",
        SIGNED.signature[:64] + bytes([v - 27]),
        SIGNED.signature[:64] + bytes([v + 8]),
        SIGNED.signature[:64] + bytes([55 - v]),
        r + (ORDER - s).to_bytes(32) + bytes([55 - v]),  # the same signature's other form
        b"\xff" * 64 + b"\x1b",
        r + bytes(32) + b"\x1b",
    ],
    ids=range(10),
)
def test_malformed_and_malleable_signatures_are_refused(signature):
    assert not is_by_consumer(replace(SIGNED, signature=signature))


@pytest.mark.parametrize("offset", [-120, 0, 119.5, 120])
def test_a_request_within_the_window_is_fresh(offset):
    SIGNED.check_fresh(NOW + offset)


@pytest.mark.parametrize("offset", [-121, -120.5, 120.5, 1e9])
def test_a_request_outside_the_window_is_stale(offset):
    with pytest.raises(StaleRequest):
        SIGNED.check_fresh(NOW + offset)


@pytest.mark.parametrize(
    "change",
    [
        {"ledger": "eip155"},
        {"ledger": "EIP155:1"},
        {"ledger": "eip155:1\n"},
        {"model_id": bytes(31)},
        {"version": ""},
        {"version": "1" * 129},
        {"consumer": "eip155:1"},
        {"consumer": CONSUMER[1].lower()},
        {"consumer": "cosmos:hub-4:"},
        {"consumer": "cosmos:hub-4:" + "a" * 129},
        {"consumer": "cosmos:hub-4:a b"},
        {"consumer": "cosmos:hub-4:a\n"},
        {"consumer": "Cosmos:hub-4:a"},
        {"consumer": CONSUMER[1] + "0"},
        {"hpke_public_key": bytes(32)},
        {"ciphertext": b""},
        {"ciphertext": bytes(6145)},
        {"policy": bytes(31)},
        {"policy": bytes(33)},
        {"credentials": ("",)},
        {"credentials": ("a", "b", "a")},
        {"credentials": ("a\n",)},
        {"credentials": ("\x7f",)},
        {"credentials": ("ä",)},
        {"nonce": bytes(31)},
        {"issued_at": -1},
        {"issued_at": 2**63},
    ],
)
def test_a_field_out_of_form_is_refused(change):
    with pytest.raises(MalformedEncoding):
        replace(SIGNED.request, **change)


@pytest.mark.parametrize("consumer", ["local:near:alice", f"fabricxx:{'c' * 32}:{'a' * 128}"])
def test_a_consumer_is_of_any_ledger(consumer):
    signed = replace(SIGNED, request=replace(SIGNED.request, consumer=consumer))
    assert SignedShareRequest.from_json(signed.to_json()) == signed


def test_a_sealed_key_may_have_6144_bytes_and_no_more():
    largest = replace(SIGNED, request=replace(SIGNED.request, ciphertext=bytes(6144)))
    assert SignedShareRequest.from_json(largest.to_json()) == largest
    with pytest.raises(MalformedEncoding, match="1 to 6144 bytes"):
        replace(SIGNED.request, ciphertext=bytes(6145))


@given(st.text(min_size=1, max_size=128).filter(lambda t: t.isprintable()), st.integers(0, 2**40))
@settings(max_examples=20, deadline=None)
def test_requests_round_trip(version, issued_at):
    request = replace(SIGNED.request, version=version, issued_at=issued_at)
    signed = replace(SIGNED, request=request)
    assert SignedShareRequest.from_json(signed.to_json()) == signed
    assert SignedShareRequest.from_json(signed.to_json().encode()) == signed


DOCUMENT = json.loads(SIGNED.to_json())


@pytest.mark.parametrize("name", sorted(DOCUMENT))
@pytest.mark.parametrize("value", [None, 5.0, "", True, {}, "0x" + "00" * 7000])
def test_a_request_with_any_field_of_another_kind_is_refused(name, value):
    with pytest.raises(MalformedEncoding):
        SignedShareRequest.from_json(json.dumps({**DOCUMENT, name: value}))


def test_a_request_that_lacks_or_adds_a_field_is_refused():
    for name in DOCUMENT:
        lacking = {key: value for key, value in DOCUMENT.items() if key != name}
        with pytest.raises(MalformedEncoding):
            SignedShareRequest.from_json(json.dumps(lacking))
    with pytest.raises(MalformedEncoding):
        SignedShareRequest.from_json(json.dumps({**DOCUMENT, "more": 1}))


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_a_request_with_any_character_changed_is_refused(data):
    text = list(SIGNED.to_json())
    at = data.draw(st.integers(0, len(text) - 1))
    changed = data.draw(st.characters(min_codepoint=33, max_codepoint=126))
    if changed == text[at]:
        return
    text[at] = changed
    try:
        read = SignedShareRequest.from_json("".join(text))
    except CustodyError:
        return
    assert not is_by_consumer(read)


@pytest.mark.parametrize("size", [1, 4096])
def test_a_contracts_signature_may_have_any_length_up_to_4096_bytes(size):
    signed = replace(SIGNED, signature=b"x" * size)
    assert SignedShareRequest.from_json(signed.to_json()) == signed
    for wrong in (b"", b"x" * 4097):
        with pytest.raises(MalformedEncoding):
            SignedShareRequest.from_json(replace(SIGNED, signature=wrong).to_json())


def test_two_requests_never_share_a_nonce():
    given = [each.name for each in fields(ShareRequest) if each.init and each.name != "nonce"]
    same = {name: getattr(SIGNED.request, name) for name in given}
    assert ShareRequest(**same).nonce != ShareRequest(**same).nonce
