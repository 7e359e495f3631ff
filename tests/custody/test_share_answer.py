"""What a custodian signs of its share: all of it, for one request, in one encoding."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from share_requests import MODEL, custodian_keys, signed_request
from trusted_dealer import deal

from caimi.custody.answer import ANSWER_BYTES, Asked, SignedShare
from caimi.custody.delivery import RecipientKey
from caimi.custody.dleq import EqualityProof
from caimi.custody.evidence import WrongShareEvidence
from caimi.custody.group import ORDER, generator_times
from caimi.custody.label import label_for
from caimi.custody.tdh2 import decryption_share, encrypt
from caimi.errors.custody import MalformedEncoding, UnsignedAnswer

KEYS = deal(2, 3)
GROUP = KEYS[0].group
CUSTODIAN, OTHER = custodian_keys(2)
CIPHERTEXT = encrypt(GROUP.public_key, b"key", label_for(MODEL, "1.0.0"))
REQUEST = signed_request(CIPHERTEXT, RecipientKey.generate()).request
ASKED = Asked(REQUEST.digest, CIPHERTEXT, GROUP.verification_key(2))
SHARE = decryption_share(CIPHERTEXT, KEYS[1])
ANSWER = SignedShare.sign(SHARE, ASKED, CUSTODIAN)
POINT = generator_times(7)
WRONG = SignedShare.sign(replace(SHARE, point=POINT), ASKED, CUSTODIAN)

CHANGED_QUESTIONS = [
    replace(ASKED, request=b"\x01" * 32),
    replace(ASKED, verification_key=GROUP.verification_key(3)),
    replace(ASKED, ciphertext=replace(CIPHERTEXT, ephemeral=POINT)),
    replace(ASKED, ciphertext=replace(CIPHERTEXT, label=label_for(MODEL, "1.0.1"))),
]
CHANGED_SHARES = [
    replace(SHARE, index=3),
    replace(SHARE, point=POINT),
    replace(SHARE, point=SHARE.point.times(ORDER - 1)),  # the same x, the other y
    replace(SHARE, proof=EqualityProof(SHARE.proof.challenge ^ 1, SHARE.proof.response)),
    replace(SHARE, proof=EqualityProof(SHARE.proof.challenge, SHARE.proof.response ^ 1)),
]


def test_an_answer_is_its_custodians_for_its_request():
    ANSWER.check_signed(ASKED, CUSTODIAN.account)
    with pytest.raises(UnsignedAnswer, match=f"not signed by its key, 0x{OTHER.account.hex()}"):
        ANSWER.check_signed(ASKED, OTHER.account)
    with pytest.raises(UnsignedAnswer, match="custodian 2 is not signed: A signature is 65 bytes"):
        replace(ANSWER, signature=bytes(65)).check_signed(ASKED, CUSTODIAN.account)


@pytest.mark.parametrize("asked", CHANGED_QUESTIONS, ids=range(len(CHANGED_QUESTIONS)))
def test_an_answer_counts_for_no_other_question(asked):
    with pytest.raises(UnsignedAnswer):
        ANSWER.check_signed(asked, CUSTODIAN.account)


@pytest.mark.parametrize("share", CHANGED_SHARES, ids=range(len(CHANGED_SHARES)))
def test_no_part_of_a_signed_share_can_be_changed(share):
    with pytest.raises(UnsignedAnswer):
        replace(ANSWER, share=share).check_signed(ASKED, CUSTODIAN.account)


def test_every_part_changes_the_digest():
    digests = {asked.digest(SHARE) for asked in (ASKED, *CHANGED_QUESTIONS)}
    digests |= {ASKED.digest(share) for share in CHANGED_SHARES}
    assert len(digests) == 1 + len(CHANGED_QUESTIONS) + len(CHANGED_SHARES)


def test_an_answer_has_one_encoding():
    encoded = ANSWER.to_bytes()
    assert len(encoded) == ANSWER_BYTES
    assert SignedShare.from_bytes(encoded) == ANSWER
    for wrong in (encoded[:-1], encoded + b"\x00", b"x" + encoded[1:], ANSWER.share.to_bytes()):
        with pytest.raises(MalformedEncoding):
            SignedShare.from_bytes(wrong)


@given(st.integers(0, ANSWER_BYTES - 1), st.integers(1, 255))
@settings(max_examples=60, deadline=None)
def test_an_answer_with_any_byte_changed_is_not_taken(at, flip):
    encoded = bytearray(ANSWER.to_bytes())
    encoded[at] ^= flip
    with pytest.raises((MalformedEncoding, UnsignedAnswer)):
        SignedShare.from_bytes(bytes(encoded)).check_signed(ASKED, CUSTODIAN.account)


def test_a_wrong_share_that_was_signed_can_be_shown_to_others():
    evidence = WrongShareEvidence(ASKED, WRONG)
    again = WrongShareEvidence.from_json(evidence.to_json())
    assert again == evidence
    assert again.shows(CUSTODIAN.account)


def test_nothing_shows_a_fault_of_one_who_did_not_sign_it():
    assert not WrongShareEvidence(ASKED, WRONG).shows(OTHER.account)
    assert not WrongShareEvidence(ASKED, replace(WRONG, signature=bytes(65))).shows(
        CUSTODIAN.account
    )


def test_a_good_answer_shows_no_fault_whatever_is_made_of_it():
    assert not WrongShareEvidence(ASKED, ANSWER).shows(CUSTODIAN.account)
    for asked in CHANGED_QUESTIONS:
        assert not WrongShareEvidence(asked, ANSWER).shows(CUSTODIAN.account)
    for share in CHANGED_SHARES:
        answer = replace(ANSWER, share=share)
        assert not WrongShareEvidence(ASKED, answer).shows(CUSTODIAN.account)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("caimi/wrong-share/1", "caimi/wrong-share/2"),
        ('"request": "0x', '"request": "0x00'),
        ('"answer": "0x', '"answer": "0X'),
        ('"verification_key": "0x0', '"verification_key": "0x1'),
        ("}", ', "more": 1}'),
        ('{"format"', '{"request": "0x", "format"'),
    ],
)
def test_evidence_has_one_form(old, new):
    text = WrongShareEvidence(ASKED, WRONG).to_json()
    assert old in text
    with pytest.raises(MalformedEncoding):
        WrongShareEvidence.from_json(text.replace(old, new))
