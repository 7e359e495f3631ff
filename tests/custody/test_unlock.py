import asyncio
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from share_requests import MODEL, NOW, custodian_keys, signed_request
from trusted_dealer import deal

from caimi.custody.answer import Asked, SignedShare
from caimi.custody.delivery import RecipientKey, delivery_info, seal
from caimi.custody.evidence import WrongShareEvidence
from caimi.custody.key_release import KeyRelease, SignedKeyRelease
from caimi.custody.label import label_for
from caimi.custody.response import ShareResponse
from caimi.custody.tdh2 import decryption_share, encrypt
from caimi.custody.unlock import Status, refused, unlock
from caimi.errors.custody import (
    CustodianUnreachable,
    GrantRefused,
    InvalidCiphertext,
    InvalidKeyMaterial,
    LabelMismatch,
    NotEnoughShares,
)

KEYS = deal(3, 5)
GROUP = KEYS[0].group
SIGNERS = custodian_keys(5)
RECIPIENT = RecipientKey.generate()
CIPHERTEXT = encrypt(GROUP.public_key, b"key", label_for(MODEL, "1.0.0"))
SIGNED = signed_request(CIPHERTEXT, RECIPIENT)
OTHERS = signed_request(CIPHERTEXT, RECIPIENT).request
"""Another consumer's request for the same key."""


@dataclass
class Reply:
    """A custodian as the network shows it; `lie` says how it misbehaves."""

    index: int
    lie: str = ""
    delay: float = 0
    cancelled: bool = field(default=False, init=False)

    @property
    def account(self):
        return SIGNERS[self.index - 1].account

    async def share(self, signed):
        try:
            await asyncio.sleep(self.delay)
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        if self.lie == "down":
            raise CustodianUnreachable("connection refused")
        if self.lie == "broken pipe":
            raise ConnectionResetError("reset")
        if self.lie == "refuses":
            raise GrantRefused("no licence")
        if self.lie == "hangs":
            await asyncio.sleep(60)
        share = decryption_share(CIPHERTEXT, KEYS[self.index - 1])
        if self.lie == "wrong share":
            share = replace(share, point=share.point.times(2))
        if self.lie == "another's share":
            share = decryption_share(CIPHERTEXT, KEYS[self.index % 5])
        request = signed.request
        encoded = self.signed(share, request).to_bytes()
        if self.lie == "malformed":
            encoded += b"\x00"
        info = delivery_info(request.label, request.consumer, self.index, request.nonce)
        sealed = seal(RECIPIENT.public_bytes, encoded, info)
        if self.lie == "garbled":
            sealed = bytes(len(sealed))
        return ShareResponse(
            self.index if self.lie != "misnamed" else 9, sealed, self.released(request)
        )

    def signed(self, share, request):
        """Sign a share; some lies are told here."""
        if self.lie == "unsigned":
            return SignedShare(share, bytes(65))
        asked = Asked(
            (OTHERS if self.lie == "signed for another request" else request).digest,
            CIPHERTEXT,
            GROUP.verification_key(self.index),
        )
        answer = SignedShare.sign(share, asked, self.signer("signed by another"))
        if self.lie == "share changed after signing":
            answer = replace(answer, share=replace(share, point=share.point.times(2)))
        return answer

    def released(self, request):
        """Say that the key was released; some lies are told here."""
        if self.lie == "release of another request":
            request = OTHERS
        index = self.index % 5 + 1 if self.lie == "release of another custodian" else self.index
        late = 121 if self.lie == "release at another time" else 120
        release = KeyRelease.of(request, index, GROUP, NOW + late)
        if self.lie == "release of another group":
            release = replace(release, group=bytes(32))
        if self.lie == "release under another policy":
            release = replace(release, policy=b"\1" * 32)
        if self.lie == "release unsigned":
            return SignedKeyRelease(release, bytes(65))
        return release.sign(self.signer("release signed by another"))

    def signer(self, lie):
        return SIGNERS[self.index % 5 if self.lie == lie else self.index - 1]


async def open_with(*replies, timeout_seconds=10.0):
    return await unlock(
        CIPHERTEXT, SIGNED, RECIPIENT, replies, GROUP, timeout_seconds=timeout_seconds
    )


UNSIGNED = [
    "unsigned",
    "signed by another",
    "signed for another request",
    "share changed after signing",
]
FALSE_RELEASES = [
    "release unsigned",
    "release signed by another",
    "release of another request",
    "release of another custodian",
    "release of another group",
    "release at another time",
    "release under another policy",
]
CORRUPTIONS = [
    "wrong share",
    "another's share",
    "malformed",
    "garbled",
    "misnamed",
    *UNSIGNED,
    *FALSE_RELEASES,
]
EXPECTED = {
    "": Status.SHARED,
    "down": Status.UNREACHABLE,
    "broken pipe": Status.UNREACHABLE,
    "refuses": Status.REFUSED,
    **dict.fromkeys(CORRUPTIONS, Status.CORRUPTED),
}


@given(st.lists(st.sampled_from(list(EXPECTED)), min_size=5, max_size=5))
@settings(max_examples=40, deadline=None)
def test_three_good_of_five_open_and_fewer_fail_with_each_outcome_named(lies):
    replies = [Reply(index, lie) for index, lie in enumerate(lies, start=1)]
    good = lies.count("")
    if good >= 3:
        result = asyncio.run(open_with(*replies))
        assert result.secret == b"key"
        for outcome, lie in zip(result.outcomes, lies, strict=True):
            assert outcome.status in (EXPECTED[lie], Status.NOT_NEEDED)
    else:
        with pytest.raises(NotEnoughShares, match=f"{good} of the 3") as caught:
            asyncio.run(open_with(*replies))
        for index, lie in enumerate(lies, start=1):
            assert f"custodian {index}: {EXPECTED[lie].value}" in caught.value.what
            assert EXPECTED[lie].value in caught.value.outcomes[index]
        wrong = [i for i, lie in enumerate(lies, start=1) if lie in CORRUPTIONS]
        assert caught.value.wrong == tuple(wrong)
        proven = [i for i, lie in enumerate(lies, start=1) if lie == "wrong share"]
        assert list(caught.value.evidence) == proven
        for index, text in caught.value.evidence.items():
            assert WrongShareEvidence.from_json(text).shows(SIGNERS[index - 1].account)


@pytest.mark.parametrize("lie", CORRUPTIONS)
async def test_a_corrupted_share_is_named_and_does_not_stop_the_unlock(lie):
    result = await open_with(Reply(1), Reply(2, lie), Reply(3, delay=0.01), Reply(4, delay=0.01))
    assert result.secret == b"key"
    assert result.custodians(Status.CORRUPTED) == (2,)


@pytest.mark.parametrize("lie", UNSIGNED)
async def test_an_answer_that_its_custodian_did_not_sign_is_refused_by_name(lie):
    result = await open_with(Reply(1), Reply(2, lie), Reply(3, delay=0.01), Reply(4, delay=0.01))
    outcome = result.outcomes[1]
    assert outcome.detail.startswith("CAIMI-K038: The answer of custodian 2")
    assert outcome.evidence is None
    assert outcome.release is None


@pytest.mark.parametrize("lie", FALSE_RELEASES)
async def test_a_share_without_a_true_release_is_refused_by_name(lie):
    result = await open_with(Reply(1), Reply(2, lie), Reply(3, delay=0.01), Reply(4, delay=0.01))
    assert result.secret == b"key"
    assert result.outcomes[1].detail.startswith("CAIMI-K039: The release of custodian")
    assert result.custodians(Status.CORRUPTED) == (2,)


async def test_a_wrong_share_that_was_signed_is_kept_as_evidence():
    replies = Reply(1), Reply(2, "wrong share"), Reply(3, delay=0.01), Reply(4, delay=0.01)
    evidence = (await open_with(*replies)).outcomes[1].evidence
    assert evidence.shows(SIGNERS[1].account)
    assert not evidence.shows(SIGNERS[0].account)


async def test_each_release_is_kept_with_the_share_that_it_came_with():
    result = await open_with(Reply(1), Reply(2), Reply(3), Reply(4, delay=60))
    releases = [outcome.release for outcome in result.outcomes]
    assert [release and release.release.index for release in releases] == [1, 2, 3, None]
    for release, signer in zip(releases[:3], SIGNERS, strict=False):
        release.check_signed(signer.account)
        assert release.release.request == SIGNED.request.digest


async def test_a_custodian_that_hangs_is_unreachable_after_the_timeout():
    with pytest.raises(NotEnoughShares, match="custodian 3: unreachable"):
        await open_with(Reply(1), Reply(2), Reply(3, "hangs"), timeout_seconds=0.05)


async def test_it_stops_asking_when_enough_shares_are_in():
    slow = Reply(4, delay=60)
    async with asyncio.timeout(5):
        result = await open_with(Reply(1), Reply(2), Reply(3), slow, timeout_seconds=60)
    assert slow.cancelled
    assert result.custodians(Status.NOT_NEEDED) == (4,)


async def test_being_cancelled_cancels_the_asking():
    slow = [Reply(index, delay=60) for index in range(1, 4)]
    task = asyncio.create_task(open_with(*slow))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert all(reply.cancelled for reply in slow)


async def test_a_sealed_key_that_is_not_the_requests_is_refused_before_asking():
    other = encrypt(GROUP.public_key, b"key", CIPHERTEXT.label)
    with pytest.raises(LabelMismatch):
        await unlock(other, SIGNED, RECIPIENT, [], GROUP)
    relabelled = signed_request(CIPHERTEXT, RECIPIENT, version="1.0.1")
    with pytest.raises(LabelMismatch):
        await unlock(CIPHERTEXT, relabelled, RECIPIENT, [], GROUP)
    with pytest.raises(InvalidCiphertext):
        await unlock(CIPHERTEXT, SIGNED, RECIPIENT, [], deal(3, 5)[0].group)


@pytest.mark.parametrize("indices", [(1, 2, 2), (1, 2, 6), (0, 1, 2)])
async def test_custodians_named_twice_or_outside_the_group_are_refused(indices):
    with pytest.raises(InvalidKeyMaterial):
        await open_with(*(Reply(index) for index in indices))


def test_a_custodians_own_error_is_passed_on_and_cut():
    error = refused(2, GrantRefused("no licence").as_dict())
    assert "CAIMI-K011" in error.what
    assert error.next_step == GrantRefused.next_step
    assert len(refused(2, {"what": "x" * 10_000}).what) < 400
    assert refused(2, {}).why
