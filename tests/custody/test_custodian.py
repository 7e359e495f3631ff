import asyncio
import logging
from dataclasses import replace

import pytest
from share_requests import (
    CONSUMERS,
    LEDGER,
    MODEL,
    NOW,
    custodian_keys,
    new_consumer,
    signed_request,
)
from trusted_dealer import deal

from caimi.custody.answer import Asked, SignedShare
from caimi.custody.custodian import Custodian, Grant
from caimi.custody.delivery import RecipientKey, delivery_info
from caimi.custody.key_release import KeyRelease
from caimi.custody.label import label_for
from caimi.custody.request import SignedShareRequest
from caimi.custody.tdh2 import Ciphertext, encrypt, verify_share
from caimi.custody.tombstones import FileTombstones
from caimi.errors.custody import (
    GrantRefused,
    InvalidCiphertext,
    InvalidRequestSignature,
    LabelMismatch,
    MalformedEncoding,
    ModelErased,
    PolicyUnsupported,
    ReplayedRequest,
    StaleRequest,
)
from caimi.ledgers.port import account_named
from caimi.logs import JsonFormatter, TextFormatter

KEYS = deal(2, 3)
GROUP = KEYS[0].group
SIGNER = custodian_keys(1)[0]
RECIPIENT = RecipientKey.generate()
CIPHERTEXT = encrypt(GROUP.public_key, b"key", label_for(MODEL, "1.0.0"))


class LedgerView:
    """Grants as a custodian's finalised view of a ledger has them."""

    def __init__(self):
        self.asked = []
        self.approving = []
        self.approved = []
        self.live = True
        self.gate = asyncio.Event()
        self.gate.set()

    async def check(self, ledger, model_id, version, consumer):
        self.asked.append((ledger, model_id, version, consumer))
        await self.gate.wait()
        if not self.live:
            raise GrantRefused(f"{consumer} has no licence")
        return Grant(ledger, 7, consumer)

    async def signed(self, consumer, statement, signature):
        if CONSUMERS.verify(statement, account_named(consumer, CONSUMERS), signature):
            return True
        self.approving.append((consumer, statement, signature))
        return (consumer, statement, signature) in self.approved


class Clock:
    now = float(NOW)

    def __call__(self):
        return self.now


@pytest.fixture
def view():
    return LedgerView()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def custodian(tmp_path, view, clock):
    return Custodian(KEYS[1], SIGNER, view, FileTombstones(tmp_path / "tombstones"), clock)


def opened(response, signed):
    """Open an answer as the consumer does."""
    info = delivery_info(CIPHERTEXT.label, signed.request.consumer, 2, signed.request.nonce)
    return SignedShare.from_bytes(RECIPIENT.open(response.sealed, info))


async def test_a_licensed_consumer_gets_a_good_share_that_only_it_can_open(custodian, view):
    signed = signed_request(CIPHERTEXT, RECIPIENT)
    response = await custodian.answer(signed)
    share = opened(response, signed).share
    verify_share(CIPHERTEXT, share, GROUP)
    assert response.index == share.index == 2
    assert view.asked == [(LEDGER, MODEL, "1.0.0", signed.request.consumer)]


async def test_what_a_custodian_gives_it_signs_with_its_own_key(custodian, clock):
    signed = signed_request(CIPHERTEXT, RECIPIENT)
    clock.now += 7.9
    response = await custodian.answer(signed)
    asked = Asked(signed.request.digest, CIPHERTEXT, GROUP.verification_key(2))
    opened(response, signed).check_signed(asked, SIGNER.account)
    assert response.release.release == KeyRelease.of(signed.request, 2, GROUP, NOW + 7)
    response.release.check_signed(SIGNER.account)
    response.release.check_answers(signed.request, 2, GROUP)


@pytest.mark.parametrize(
    "change",
    [{"policy": b"\x01" * 32}, {"credentials": ("a credential",)}],
    ids=("policy", "shown"),
)
async def test_a_custodian_without_policies_refuses_them_by_name(custodian, view, change):
    await refused(
        custodian, view, signed_request(CIPHERTEXT, RECIPIENT, **change), PolicyUnsupported
    )


class SlowKey:
    """A key in another machine, which `meanwhile` happens before it signs."""

    account = SIGNER.account

    def __init__(self, meanwhile):
        self._loop = asyncio.get_running_loop()
        self._meanwhile = meanwhile

    def sign_digest(self, digest):
        asyncio.run_coroutine_threadsafe(self._meanwhile(), self._loop).result(5)
        return SIGNER.sign_digest(digest)


async def test_an_erasure_while_the_key_signs_wins(custodian):
    custodian.key = SlowKey(lambda: custodian.erase(MODEL, "1.0.0"))
    with pytest.raises(ModelErased):
        await custodian.answer(signed_request(CIPHERTEXT, RECIPIENT))


async def test_a_request_that_went_stale_while_the_key_signed_is_refused(custodian, clock):
    async def wait():
        clock.now += 121

    custodian.key = SlowKey(wait)
    with pytest.raises(StaleRequest):
        await custodian.answer(signed_request(CIPHERTEXT, RECIPIENT))


async def test_no_share_leaves_without_a_live_grant(custodian, view):
    view.live = False
    signed = signed_request(CIPHERTEXT, RECIPIENT)
    with pytest.raises(GrantRefused):
        await custodian.answer(signed)
    view.live = True  # the licence arrives: the same request may then be answered
    await custodian.answer(signed)


async def refused(custodian, view, signed, error):
    with pytest.raises(error):
        await custodian.answer(signed)
    assert view.asked == []


async def test_a_request_signed_by_another_gets_nothing(custodian, view):
    signed = signed_request(CIPHERTEXT, RECIPIENT)
    other = replace(signed.request, consumer=new_consumer()[1])
    with pytest.raises(InvalidRequestSignature):
        await custodian.answer(replace(signed, request=other))
    assert view.approving == [(other.consumer, other.statement, signed.signature)]


def contracts_request(view, signature=b"as the contract likes", **changes):
    """A request of a contract account, signed with what the contract takes for its own."""
    request = signed_request(CIPHERTEXT, RECIPIENT, **changes).request
    view.approved.append((request.consumer, request.statement, signature))
    return SignedShareRequest(request, signature)


async def test_a_contract_account_that_takes_the_signature_gets_a_share_once(custodian, view):
    signed = contracts_request(view)
    verify_share(CIPHERTEXT, opened(await custodian.answer(signed), signed).share, GROUP)
    for again in (signed, replace(signed, signature=b"another that it takes")):
        with pytest.raises(ReplayedRequest):
            await custodian.answer(again)


async def test_what_a_contract_account_takes_for_one_request_counts_for_no_other(custodian, view):
    signed = contracts_request(view)
    for change in (
        {"consumer": new_consumer()[1]},
        {"hpke_public_key": RecipientKey.generate().public_bytes},
        {"nonce": b"\x09" * 32},
        {"issued_at": NOW + 1},
    ):
        other = replace(signed.request, **change)
        with pytest.raises(InvalidRequestSignature):
            await custodian.answer(replace(signed, request=other))


async def test_no_contract_is_asked_that_has_no_grant(custodian, view):
    view.live = False
    with pytest.raises(GrantRefused):
        await custodian.answer(contracts_request(view))
    assert view.approving == []


async def test_an_erasure_while_a_contract_is_asked_wins(custodian, view):
    signed = contracts_request(view)
    asking = view.signed

    async def slowly(*asked):
        await custodian.erase(MODEL, "1.0.0")
        return await asking(*asked)

    view.signed = slowly
    with pytest.raises(ModelErased):
        await custodian.answer(signed)


@pytest.mark.parametrize("offset", [-121, 121])
async def test_a_stale_request_never_reaches_the_ledger(custodian, view, offset):
    await refused(
        custodian,
        view,
        signed_request(CIPHERTEXT, RECIPIENT, issued_at=NOW + offset),
        StaleRequest,
    )


async def test_a_sealed_key_of_another_model_or_version_is_refused(custodian, view):
    for change in ({"model_id": b"\x02" * 32}, {"version": "1.0.1"}):
        signed = signed_request(CIPHERTEXT, RECIPIENT, **change)
        await refused(custodian, view, signed, LabelMismatch)


async def test_a_relabelled_sealed_key_is_refused(custodian, view):
    relabelled = replace(CIPHERTEXT, label=label_for(b"\x02" * 32, "1.0.0"))
    signed = signed_request(relabelled, RECIPIENT, model_id=b"\x02" * 32)
    await refused(custodian, view, signed, InvalidCiphertext)


async def test_a_sealed_key_of_another_group_is_refused(custodian, view):
    foreign = encrypt(deal(2, 3)[0].group.public_key, b"key", CIPHERTEXT.label)
    await refused(custodian, view, signed_request(foreign, RECIPIENT), InvalidCiphertext)


async def test_a_malformed_sealed_key_is_refused(custodian, view):
    signed = signed_request(CIPHERTEXT, RECIPIENT, ciphertext=b"rubbish")
    await refused(custodian, view, signed, MalformedEncoding)


async def test_a_request_is_answered_once_and_a_replay_does_not_reach_the_ledger(custodian, view):
    consumer = new_consumer()
    signed = signed_request(CIPHERTEXT, RECIPIENT, consumer)
    await custodian.answer(signed)
    with pytest.raises(ReplayedRequest):
        await custodian.answer(signed)
    assert len(view.asked) == 1
    await custodian.answer(signed_request(CIPHERTEXT, RECIPIENT, consumer))


async def test_a_request_sent_twice_at_once_is_answered_once(custodian, view):
    view.gate.clear()
    signed = signed_request(CIPHERTEXT, RECIPIENT)
    answers = [asyncio.create_task(custodian.answer(signed)) for _ in range(5)]
    await asyncio.sleep(0)
    view.gate.set()
    results = await asyncio.gather(*answers, return_exceptions=True)
    assert sum(isinstance(result, ReplayedRequest) for result in results) == 4


async def test_an_erased_version_is_refused_for_ever_and_others_are_not(
    custodian, view, clock, tmp_path
):
    await custodian.erase(MODEL, "1.0.0")
    restarted = Custodian(KEYS[1], SIGNER, view, FileTombstones(tmp_path / "tombstones"), clock)
    for role in (custodian, restarted):
        with pytest.raises(ModelErased):
            await role.answer(signed_request(CIPHERTEXT, RECIPIENT))
    other = encrypt(GROUP.public_key, b"key", label_for(MODEL, "1.0.1"))
    await custodian.answer(signed_request(other, RECIPIENT, version="1.0.1"))


async def test_a_request_for_an_erased_version_never_reaches_the_ledger(custodian, view):
    await custodian.erase(MODEL, "1.0.0")
    await refused(custodian, view, signed_request(CIPHERTEXT, RECIPIENT), ModelErased)


async def test_an_erasure_while_the_ledger_is_asked_wins(custodian, view):
    view.gate.clear()
    answer = asyncio.create_task(custodian.answer(signed_request(CIPHERTEXT, RECIPIENT)))
    await asyncio.sleep(0)
    await custodian.erase(MODEL, "1.0.0")
    view.gate.set()
    with pytest.raises(ModelErased):
        await answer


async def test_a_request_that_went_stale_while_the_ledger_was_asked_is_refused(
    custodian, view, clock
):
    view.gate.clear()
    answer = asyncio.create_task(custodian.answer(signed_request(CIPHERTEXT, RECIPIENT)))
    await asyncio.sleep(0)
    clock.now += 121
    view.gate.set()
    with pytest.raises(StaleRequest):
        await answer


def test_a_custodian_prints_no_secret(custodian):
    assert str(KEYS[1].secret) not in repr(custodian)


def test_the_ciphertext_in_a_request_is_the_one_sealed():
    request = signed_request(CIPHERTEXT, RECIPIENT).request
    assert Ciphertext.from_bytes(request.ciphertext) == CIPHERTEXT


async def test_a_line_of_the_log_names_the_request_and_holds_no_secret(custodian, caplog):
    caplog.set_level(logging.DEBUG)
    signed = signed_request(CIPHERTEXT, RECIPIENT)
    response = await custodian.answer(signed)
    with pytest.raises(ReplayedRequest):
        await custodian.answer(signed)
    (record,) = [each for each in caplog.records if each.name == "caimi.custody.custodian"]
    assert record.about == {"request": signed.request.nonce.hex()}
    info = delivery_info(CIPHERTEXT.label, signed.request.consumer, 2, signed.request.nonce)
    share = RECIPIENT.open(response.sealed, info)
    secrets = {KEYS[1].to_bytes(), share, signed.signature, response.sealed}
    said = "".join(
        form.format(each) for form in (TextFormatter(), JsonFormatter()) for each in caplog.records
    )
    written = [each.hex() for each in secrets] + [repr(each) for each in secrets]
    assert not [each for each in written if each in said]
    assert str(KEYS[1].secret) not in said
