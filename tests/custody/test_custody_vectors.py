"""Custody computes what contracts/vectors/make_custody.py does, and keeps its domains apart."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from caimi.custody.answer import Asked, SignedShare
from caimi.custody.delivery import delivery_info
from caimi.custody.dkg import ceremony as dkg
from caimi.custody.dkg.dealing import pair_info
from caimi.custody.group import SECOND_GENERATOR, Point
from caimi.custody.key_release import SignedKeyRelease
from caimi.custody.keys import GroupKey, KeyShare
from caimi.custody.label import label_for
from caimi.custody.request import SignedShareRequest
from caimi.custody.tdh2 import (
    Ciphertext,
    DecryptionShare,
    combine,
    decryption_share,
    verify_ciphertext,
    verify_share,
)
from caimi.errors.custody import InvalidCiphertext, NotEnoughShares, WrongShare
from caimi.ledgers.evm.abi.accounts import EvmAccounts
from caimi.ledgers.port import LedgerId, account_named

FOLDER = Path(__file__).parents[2] / "contracts" / "vectors"
VECTORS = json.loads((FOLDER / "custody.json").read_text())


def raw(name):
    return bytes.fromhex(VECTORS[name][2:])


GROUP = GroupKey.from_bytes(raw("group"))
CIPHERTEXT = Ciphertext.from_bytes(raw("ciphertext"))
SHARES = [DecryptionShare.from_bytes(bytes.fromhex(text[2:])) for text in VECTORS["shares"]]


def test_the_second_generator_and_the_label_are_as_published():
    assert Point.from_bytes(raw("secondGenerator")) == SECOND_GENERATOR
    assert label_for(raw("modelId"), VECTORS["version"]) == raw("label") == CIPHERTEXT.label


def test_a_published_ciphertext_is_well_formed_and_opens_with_published_shares():
    verify_ciphertext(CIPHERTEXT, GROUP.public_key)
    for share in SHARES:
        verify_share(CIPHERTEXT, share, GROUP)
    for chosen in (SHARES[:2], SHARES[1:], SHARES[::2]):
        assert combine(CIPHERTEXT, chosen, GROUP).secret == raw("secret")


def test_our_share_of_a_published_ciphertext_is_the_published_point():
    for index, text in enumerate(VECTORS["keyShares"], start=1):
        share = decryption_share(CIPHERTEXT, KeyShare(index, int(text, 16), GROUP))
        assert share.point == SHARES[index - 1].point


def test_a_ciphertext_proved_in_the_domain_of_shares_is_refused():
    wrong = Ciphertext.from_bytes(raw("ciphertextOfTheShareDomain"))
    assert wrong.to_bytes() != CIPHERTEXT.to_bytes()
    with pytest.raises(InvalidCiphertext):
        verify_ciphertext(wrong, GROUP.public_key)


def test_a_share_proved_in_the_domain_of_ciphertexts_is_refused():
    wrong = [bytes.fromhex(text[2:]) for text in VECTORS["sharesOfTheCiphertextDomain"]]
    shares = [DecryptionShare.from_bytes(share) for share in wrong]
    for share, good in zip(shares, SHARES, strict=True):
        assert share.point == good.point
        with pytest.raises(WrongShare):
            verify_share(CIPHERTEXT, share, GROUP)
    with pytest.raises(NotEnoughShares):
        combine(CIPHERTEXT, shares, GROUP)


def test_what_binds_a_delivered_share_is_as_published():
    info = delivery_info(raw("label"), VECTORS["consumer"], 3, raw("nonce"))
    assert info == raw("deliveryInfo")


def test_a_published_request_is_read_and_is_by_its_consumer():
    published = VECTORS["signed"]
    signed = SignedShareRequest.from_json(json.dumps(published["request"]))
    assert json.loads(signed.to_json()) == published["request"]
    assert f"0x{signed.request.digest.hex()}" == published["requestDigest"]
    assert f"0x{signed.request.credentials_hash.hex()}" == published["credentialsHash"]
    codec = EvmAccounts(LedgerId("eip155:10"))
    consumer = account_named(signed.request.consumer, codec)
    assert codec.verify(signed.request.statement, consumer, signed.signature)


def test_a_published_answer_is_signed_by_its_custodian_and_proved():
    published = VECTORS["signed"]
    encoded = bytes.fromhex(published["answer"][2:])
    answer = SignedShare.from_bytes(encoded)
    assert answer.to_bytes() == encoded
    request = bytes.fromhex(published["requestDigest"][2:])
    asked = Asked(request, CIPHERTEXT, GROUP.verification_key(2))
    assert f"0x{asked.digest(answer.share).hex()}" == published["answerDigest"]
    answer.check_signed(asked, bytes.fromhex(published["custodian"][2:]))
    assert answer.share == SHARES[1]


def test_a_published_release_is_read_and_is_by_its_custodian():
    published = VECTORS["signed"]
    signed = SignedKeyRelease.from_json(json.dumps(published["release"]))
    assert json.loads(signed.to_json()) == published["release"]
    assert f"0x{signed.release.digest.hex()}" == published["releaseDigest"]
    signed.check_signed(bytes.fromhex(published["custodian"][2:]))
    request = SignedShareRequest.from_json(json.dumps(published["request"])).request
    signed.check_answers(request, 2, GROUP)


def test_the_digests_of_a_key_generation_are_as_published():
    session, transport, body = raw("session"), raw("transport"), raw("body")
    assert dkg._enrolment_digest(session, transport) == raw("enrolmentDigest")
    assert dkg._message_digest(raw("ceremony"), dkg.Round(4), 2, body) == raw("messageDigest")
    assert pair_info(raw("ceremony"), 5, 6) == raw("pairInfo")
    member = SimpleNamespace(identity=raw("identity"), transport=transport)
    terms = SimpleNamespace(
        session=session,
        threshold=VECTORS["threshold"],
        total=VECTORS["total"],
        members=[member],
        broadcast=None,
    )
    assert dkg.Ceremony.digest.fget(terms) == raw("ceremonyDigest")
    terms.broadcast = dkg.Broadcast("eip155:1", b"\x0b" * 20, 12, 13)
    assert dkg.Ceremony.digest.fget(terms) == raw("broadcastCeremonyDigest")
    said = SimpleNamespace(digest=raw("ceremony"))
    root = dkg.Ceremony.round_root(said, dkg.Round(4), {3: b"", 2: body})
    assert root == raw("roundRoot")
