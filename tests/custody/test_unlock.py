import asyncio
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from share_requests import MODEL, signed_request
from trusted_dealer import deal

from caimi.custody.delivery import RecipientKey, delivery_info, seal
from caimi.custody.label import label_for
from caimi.custody.request import ShareResponse
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
RECIPIENT = RecipientKey.generate()
CIPHERTEXT = encrypt(GROUP.public_key, b"key", label_for(MODEL, "1.0.0"))
SIGNED = signed_request(CIPHERTEXT, RECIPIENT)


@dataclass
class Reply:
    """A custodian as the network shows it; `lie` says how it misbehaves."""

    index: int
    lie: str = ""
    delay: float = 0
    cancelled: bool = field(default=False, init=False)

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
        encoded = share.to_bytes() + (b"\x00" if self.lie == "malformed" else b"")
        request = signed.request
        info = delivery_info(request.label, request.consumer, self.index, request.nonce)
        sealed = seal(RECIPIENT.public_bytes, encoded, info)
        if self.lie == "garbled":
            sealed = bytes(len(sealed))
        return ShareResponse(self.index if self.lie != "misnamed" else 9, sealed)


async def open_with(*replies, timeout_seconds=10.0):
    return await unlock(
        CIPHERTEXT, SIGNED, RECIPIENT, replies, GROUP, timeout_seconds=timeout_seconds
    )


CORRUPTIONS = ["wrong share", "another's share", "malformed", "garbled", "misnamed"]
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


@pytest.mark.parametrize("lie", CORRUPTIONS)
async def test_a_corrupted_share_is_named_and_does_not_stop_the_unlock(lie):
    result = await open_with(Reply(1), Reply(2, lie), Reply(3, delay=0.01), Reply(4, delay=0.01))
    assert result.secret == b"key"
    assert result.custodians(Status.CORRUPTED) == (2,)


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
