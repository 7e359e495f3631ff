"""A rotation counts only as its present committee's members signed it."""

from dataclasses import replace

import pytest
from member_keys import KeySigner

from caimi.errors.messaging import InvalidCheckpoint, NotEnoughAttestations
from caimi.messaging.checkpoint import make_committee, recover
from caimi.messaging.rotation import Rotation

SIGNERS = sorted((KeySigner(2_000 + place) for place in range(3)), key=lambda s: s.account)
CURRENT = make_committee(4, 2, [signer.account for signer in SIGNERS])
FOLLOWING = make_committee(5, 2, [KeySigner(3_000 + place).account for place in range(3)])
ROTATION = Rotation(b"\7" * 32, CURRENT, FOLLOWING)


def test_signatures_are_kept_in_member_order_and_no_more_than_needed() -> None:
    signed = ROTATION.collect({s.account: ROTATION.sign(s) for s in reversed(SIGNERS)})
    assert signed.signers == 0b011
    for place in range(2):
        part = signed.signatures[65 * place : 65 * (place + 1)]
        assert recover(ROTATION.digest, part) == CURRENT.members[place]
    assert len(signed.signatures) == 130


def test_too_few_signatures_hand_nothing_over() -> None:
    with pytest.raises(NotEnoughAttestations, match="1 of the 2"):
        ROTATION.collect({SIGNERS[0].account: ROTATION.sign(SIGNERS[0])})


def test_a_strangers_or_a_borrowed_signature_is_refused() -> None:
    stranger = KeySigner(9)
    with pytest.raises(InvalidCheckpoint):
        ROTATION.sign(stranger)
    theirs = stranger.sign_digest(ROTATION.digest)
    for account in (stranger.account, SIGNERS[1].account):
        with pytest.raises(InvalidCheckpoint):
            ROTATION.collect({SIGNERS[0].account: ROTATION.sign(SIGNERS[0]), account: theirs})


def test_what_is_signed_names_the_origin_both_committees_and_the_operators() -> None:
    run = {member: 0 if place == 0 else 1 for place, member in enumerate(FOLLOWING.members)}
    grouped = make_committee(5, 3, FOLLOWING.members, run)
    other = make_committee(4, 3, CURRENT.members)
    changed = [
        replace(ROTATION, origin=b"\6" * 32),
        replace(ROTATION, current=other),
        replace(ROTATION, following=replace(FOLLOWING, threshold=3)),
        replace(ROTATION, following=replace(FOLLOWING, operators=grouped.operators)),
        replace(ROTATION, following=replace(FOLLOWING, members=CURRENT.members)),
    ]
    assert len({ROTATION.digest, *(each.digest for each in changed)}) == 6


def test_epochs_follow_on_each_other() -> None:
    for epoch in (4, 6):
        with pytest.raises(InvalidCheckpoint, match="does not follow"):
            replace(ROTATION, following=replace(FOLLOWING, epoch=epoch))
    with pytest.raises(InvalidCheckpoint, match="32 bytes"):
        replace(ROTATION, origin=b"")
