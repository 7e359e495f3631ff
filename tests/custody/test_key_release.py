"""What a custodian says of a share that it gave: signed, of one request, in one form."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from share_requests import MODEL, NOW, custodian_keys, signed_request
from trusted_dealer import deal

from caimi.custody.delivery import SEALED_OVERHEAD, RecipientKey
from caimi.custody.key_release import KeyRelease, SignedKeyRelease
from caimi.custody.label import label_for
from caimi.custody.response import MAX_RESPONSE_BYTES, SEALED_BYTES, ShareResponse
from caimi.custody.tdh2 import encrypt
from caimi.errors.custody import CustodyError, FalseRelease, MalformedEncoding

GROUP = deal(2, 3)[0].group
CUSTODIAN, OTHER = custodian_keys(2)
RECIPIENT = RecipientKey.generate()
CIPHERTEXT = encrypt(GROUP.public_key, b"key", label_for(MODEL, "1.0.0"))
REQUEST = signed_request(CIPHERTEXT, RECIPIENT).request
RELEASE = KeyRelease.of(REQUEST, 2, GROUP, NOW + 3)
SIGNED = RELEASE.sign(CUSTODIAN)
DOCUMENT = json.loads(SIGNED.to_json())
RESPONSE = ShareResponse(2, b"\x01" * SEALED_BYTES, SIGNED)
CHANGES = [
    {"request": b"\x01" * 32},
    {"ledger": "eip155:1"},
    {"model_id": b"\x02" * 32},
    {"version": "1.0.1"},
    {"consumer": "local:near:alice"},
    {"index": 3},
    {"group": bytes(32)},
    {"time": NOW},
    {"policy": b"\x01" * 32},
]


def test_a_release_is_its_custodians_and_of_its_request():
    SIGNED.check_signed(CUSTODIAN.account)
    SIGNED.check_answers(REQUEST, 2, GROUP)
    with pytest.raises(FalseRelease, match=f"not signed by its key, 0x{OTHER.account.hex()}"):
        SIGNED.check_signed(OTHER.account)
    with pytest.raises(FalseRelease, match="custodian 2 is not signed: A signature is 65 bytes"):
        replace(SIGNED, signature=bytes(65)).check_signed(CUSTODIAN.account)


@pytest.mark.parametrize("change", CHANGES, ids=[next(iter(change)) for change in CHANGES])
def test_every_field_of_a_release_is_signed(change):
    changed = replace(RELEASE, **change)
    assert changed.digest != RELEASE.digest
    with pytest.raises(FalseRelease):
        replace(SIGNED, release=changed).check_signed(CUSTODIAN.account)
    assert set(RELEASE.__slots__) == {name for each in CHANGES for name in each}


def test_a_release_is_of_one_request_one_custodian_and_one_group():
    other = signed_request(CIPHERTEXT, RECIPIENT).request
    for asked in ((other, 2, GROUP), (REQUEST, 3, GROUP), (REQUEST, 2, deal(2, 3)[0].group)):
        with pytest.raises(FalseRelease, match="not of this request"):
            SIGNED.check_answers(*asked)


@pytest.mark.parametrize("change", CHANGES[1:7] + CHANGES[8:])
def test_a_release_that_differs_from_its_request_is_false(change):
    with pytest.raises(FalseRelease, match="not of this request"):
        replace(SIGNED, release=replace(RELEASE, **change)).check_answers(REQUEST, 2, GROUP)


@pytest.mark.parametrize(("offset", "good"), [(-121, 0), (-120, 1), (120, 1), (121, 0)])
def test_a_release_is_of_the_time_in_which_its_request_was_fresh(offset, good):
    release = replace(SIGNED, release=replace(RELEASE, time=NOW + offset))
    if good:
        release.check_answers(REQUEST, 2, GROUP)
    else:
        with pytest.raises(FalseRelease, match="of time"):
            release.check_answers(REQUEST, 2, GROUP)


@pytest.mark.parametrize(
    "change",
    [
        {"request": bytes(31)},
        {"ledger": "eip155"},
        {"model_id": bytes(31)},
        {"version": ""},
        {"consumer": "alice"},
        {"index": 0},
        {"index": 65},
        {"group": bytes(33)},
        {"time": -1},
        {"time": 2**63},
        {"policy": b""},
    ],
)
def test_a_release_out_of_form_is_refused(change):
    with pytest.raises(MalformedEncoding):
        replace(RELEASE, **change)


@given(
    st.text(min_size=1, max_size=128).filter(str.isprintable),
    st.integers(1, 64),
    st.integers(0, 2**63 - 1),
    st.binary(min_size=32, max_size=32),
)
@settings(max_examples=30, deadline=None)
def test_releases_and_responses_round_trip(version, index, time, policy):
    release = replace(RELEASE, version=version, index=index, time=time, policy=policy)
    signed = replace(SIGNED, release=release)
    assert SignedKeyRelease.from_json(signed.to_json()) == signed
    response = replace(RESPONSE, release=signed)
    assert ShareResponse.from_json(response.to_json().encode()) == response


@pytest.mark.parametrize("name", sorted(DOCUMENT))
@pytest.mark.parametrize("value", [None, 5.0, "", True, {}, "0x" + "00" * 200])
def test_a_release_with_any_field_of_another_kind_is_refused(name, value):
    with pytest.raises(MalformedEncoding):
        SignedKeyRelease.from_json(json.dumps({**DOCUMENT, name: value}))
    lacking = {key: value for key, value in DOCUMENT.items() if key != name}
    with pytest.raises(MalformedEncoding):
        SignedKeyRelease.from_json(json.dumps(lacking))


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_release_with_any_character_changed_is_not_taken(data):
    text = list(SIGNED.to_json())
    at = data.draw(st.integers(0, len(text) - 1))
    changed = data.draw(st.characters(min_codepoint=33, max_codepoint=126))
    if changed == text[at]:
        return
    text[at] = changed
    with pytest.raises(CustodyError):
        SignedKeyRelease.from_json("".join(text)).check_signed(CUSTODIAN.account)


def test_responses_are_read_strictly():
    assert ShareResponse.from_json(RESPONSE.to_json()) == RESPONSE
    document = json.loads(RESPONSE.to_json())
    for change in (
        {"format": "caimi/share-response/1"},
        {"index": 0},
        {"index": 65},
        {"index": True},
        {"sealed": "0x" + "00" * (SEALED_BYTES - 1)},
        {"sealed": "0x" + "00" * (SEALED_BYTES + 1)},
        {"sealed": "0x" + "00" * SEALED_OVERHEAD},
        {"release": DOCUMENT},
        {"release": "{}"},
        {"more": 1},
    ):
        with pytest.raises(MalformedEncoding):
            ShareResponse.from_json(json.dumps({**document, **change}))
    for name in document:
        with pytest.raises(MalformedEncoding):
            ShareResponse.from_json(json.dumps({k: v for k, v in document.items() if k != name}))


def test_the_largest_response_fits_its_bound():
    release = replace(
        RELEASE, version="\U0001f600" * 128, consumer=f"fabricxx:{'c' * 32}:{'a' * 128}"
    )
    largest = replace(RESPONSE, release=replace(SIGNED, release=release))
    assert len(largest.to_json()) <= MAX_RESPONSE_BYTES
    assert ShareResponse.from_json(largest.to_json()) == largest
