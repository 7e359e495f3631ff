"""A ledger dies, and what was locked towards it comes back, as its committee's list says."""

from __future__ import annotations

import asyncio
import random

import pytest
from governed_ledger import DEPLOYER, GUARDIAN, STRANGER, new_ledger, wait

from caimi.composition.joining import join_ledgers
from caimi.errors.ledgers import ExitInvalid, NotAllowed, TransactionReverted
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.administration.administering import EvmAdministered
from caimi.ledgers.evm.administration.deploying import EXIT_DELAY
from caimi.ledgers.evm.administration.exits import (
    NOBODY,
    Beneficiaries,
    Beneficiary,
    DeathStatement,
    EmergencyExit,
    needed,
)
from caimi.ledgers.evm.administration.governance import read_governance
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.port import Account, Asset
from caimi.messaging.checkpoint import make_committee

WEEK = 7 * 24 * 3600
MEMBERS = tuple(LocalSigner.generate() for _ in range(4))


async def dying(paid: int = 0) -> tuple[EvmLedger, str, bytes]:
    """A ledger whose route to a dead one is paused, a model that left over it, and a purchase."""
    a, b = await asyncio.gather(new_ledger(), new_ledger(31338))
    committee = make_committee(0, 3, [one.account for one in MEMBERS])
    route, _ = await join_ledgers(
        EvmAdministered(a, DEPLOYER), EvmAdministered(b, DEPLOYER), committee
    )
    await a.submit(a.registry.publish("model", "1.0.0", b"\x11" * 32), DEPLOYER)
    model = a.registry.model_id(Account(a.id, DEPLOYER.account), "model")
    await a.submit(a.registry.approve(model, a.bridge.account), DEPLOYER)
    timeout = (await a.head()).time + 3600
    await a.submit(a.bridge.send(route, model, Account(b.id, STRANGER.account), timeout), DEPLOYER)
    if paid:
        call = await a.market.buy_remote(route, model, "1.0.0", Asset(a.id, b"").of(paid), timeout)
        await a.submit(call, DEPLOYER)
    await a.submit(a.watching.pause_route(route), GUARDIAN)
    return a, route, model


async def test_what_was_locked_towards_a_dead_ledger_comes_back() -> None:
    ledger, route, model = await dying()
    leaving = EmergencyExit(ledger)
    heirs = Beneficiaries(
        [Beneficiary(model, 1, STRANGER.account), Beneficiary(b"\x22" * 32, 7, GUARDIAN.account)]
    )
    with pytest.raises(ExitInvalid, match="open"):
        await leaving.death(route, 99, heirs)
    with pytest.raises(NotAllowed):
        await ledger.submit(leaving.open(route), GUARDIAN)
    await ledger.submit(leaving.open(route), DEPLOYER)
    (opened,) = (await read_governance(ledger)).exits
    assert (opened.client_id, opened.number, opened.counts_from) == (route, 1, 0)
    assert opened.heard_from == opened.opened_at + EXIT_DELAY

    death = await leaving.death(route, 99, heirs)
    signed = {one.account: one.sign_digest(death.digest) for one in MEMBERS}
    bitmap, joined = death.collect(await ledger.gateway.committee(route), signed)
    with pytest.raises(TransactionReverted) as early:
        await ledger.submit(leaving.declare(death, bitmap, joined), STRANGER)
    assert early.value.error == "TooEarly"
    await wait(ledger, EXIT_DELAY)
    await ledger.submit(leaving.declare(death, bitmap, joined), STRANGER)
    (declared,) = await leaving.opened()
    assert declared.heirs == heirs.root
    await wait(ledger, WEEK)
    with pytest.raises(TransactionReverted) as not_arrived:
        await ledger.submit(leaving.unlock(route, heirs, model), STRANGER)
    assert not_arrived.value.error == "NotArrived"
    await ledger.submit(leaving.refund(route, model, DEPLOYER.account), STRANGER)
    assert (await ledger.registry.model(model)).owner == Account(ledger.id, DEPLOYER.account)


async def test_a_guardian_stops_an_exit() -> None:
    ledger, route, _ = await dying()
    leaving = EmergencyExit(ledger)
    await ledger.submit(leaving.open(route), DEPLOYER)
    with pytest.raises(NotAllowed):
        await ledger.submit(leaving.stop(route), STRANGER)
    await ledger.submit(leaving.stop(route), GUARDIAN)
    assert await leaving.opened() == []


async def test_too_few_and_false_signatures_are_refused_before_they_are_sent() -> None:
    ledger, route, model = await dying()
    heirs = Beneficiaries([Beneficiary(model, 1, STRANGER.account)])
    death = DeathStatement(31337, b"\x01" * 20, route, 1, 99, heirs.root)
    committee = await ledger.gateway.committee(route)
    signed = {one.account: one.sign_digest(death.digest) for one in MEMBERS}
    first = MEMBERS[0].account
    for wrong, reason in (
        ({who: signed[who] for who in list(signed)[1:]}, "4 must"),
        ({**signed, first: signed[MEMBERS[1].account]}, "did not sign"),
        ({**signed, first: b"\x00" * 65}, "signature of"),
        ({**signed, STRANGER.account: STRANGER.sign_digest(death.digest)}, "no member"),
    ):
        with pytest.raises(ExitInvalid, match=reason):
            death.collect(committee, wrong)
    assert death.collect(committee, signed)[0] == 0b1111


def test_a_list_is_the_same_in_any_order_and_names_each_model_once() -> None:
    heirs = [Beneficiary(bytes([at]) * 32, at, bytes([at]) * 20) for at in range(1, 8)]
    shuffled = random.Random(1).sample(heirs, len(heirs))
    assert Beneficiaries(heirs).root == Beneficiaries(shuffled).root
    with pytest.raises(ExitInvalid, match="twice"):
        Beneficiaries([*heirs, heirs[0]])
    with pytest.raises(ExitInvalid, match="does not name"):
        Beneficiaries(heirs).of(b"\x99" * 32)


def test_a_list_that_names_nobody_has_a_root_and_no_heirs() -> None:
    assert Beneficiaries([]).root == NOBODY != bytes(32)
    with pytest.raises(ExitInvalid, match="does not name"):
        Beneficiaries([]).of(b"\x99" * 32)


async def test_what_was_paid_for_a_licence_of_a_dead_ledger_comes_back_without_a_list() -> None:
    ledger, route, _ = await dying(paid=500)
    deposit = (await ledger.market.relay_deposit()).units
    assert deposit > 0
    leaving = EmergencyExit(ledger)
    await ledger.submit(leaving.open(route), DEPLOYER)
    await wait(ledger, EXIT_DELAY)
    death = await leaving.death(route, 99, Beneficiaries([]))
    signed = {one.account: one.sign_digest(death.digest) for one in MEMBERS}
    bitmap, joined = death.collect(await ledger.gateway.committee(route), signed)
    await ledger.submit(leaving.declare(death, bitmap, joined), STRANGER)
    with pytest.raises(TransactionReverted) as early:
        await ledger.submit(leaving.refund_purchase(route, 2), STRANGER)
    assert early.value.error == "TooEarly"
    await wait(ledger, WEEK)
    await ledger.submit(leaving.refund_purchase(route, 2), STRANGER)
    assert (await ledger.market.owed(Account(ledger.id, DEPLOYER.account))).units == 500 + deposit
    await ledger.submit(ledger.market.withdraw(Account(ledger.id, STRANGER.account)), DEPLOYER)
    assert (await ledger.market.owed(Account(ledger.id, DEPLOYER.account))).units == 0


@pytest.mark.parametrize(
    ("members", "threshold", "enough"), [(3, 2, 3), (4, 3, 4), (5, 3, 5), (7, 5, 6), (19, 13, 14)]
)
def test_two_thirds_and_one_more_are_needed(members: int, threshold: int, enough: int) -> None:
    assert needed(members, threshold) == enough
