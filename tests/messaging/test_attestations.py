"""Gathering signatures: each validator's failure is named, and none can stop the others."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from doors import Door
from member_keys import KeySigner
from world import World

from caimi.errors.messaging import NotEnoughAttestations
from caimi.messaging.attestations import gather_signatures
from caimi.messaging.checkpoint import Attestation, LedgerStatement, make_committee, recover
from caimi.messaging.proof import SignedStatement

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def high_s(attestation: Attestation) -> Attestation:
    s = ORDER - int.from_bytes(attestation.signature[32:64])
    v = 55 - attestation.signature[64]
    return replace(attestation, signature=attestation.signature[:32] + s.to_bytes(32) + bytes([v]))


def other_statement(attestation: Attestation) -> Attestation:
    said = replace(attestation.statement, root=b"\x07" * 32)
    return Attestation(said, KeySigner(1_000).sign_digest(said.digest))


def stranger(attestation: Attestation) -> Attestation:
    return replace(attestation, signature=KeySigner(5).sign_digest(attestation.statement.digest))


def malformed(attestation: Attestation) -> Attestation:
    return Attestation.from_document({"kind": "Checkpoint"})


async def expected(world: World) -> LedgerStatement:
    """What the ledger truly shows."""
    a, b = world.chains
    a.send(b)
    world.finalize()
    return (await world.doors[0].validator.attest(a.id, 0, a.final_height)).statement


async def gather(
    world: World, said: LedgerStatement, doors: list[Door], within_seconds: float = 10
) -> SignedStatement:
    ledger = world.chains[0].id
    return await gather_signatures(
        said,
        world.committee,
        doors,
        lambda door: door.attest(ledger, said.from_height, said.height),
        within_seconds=within_seconds,
    )


async def test_the_threshold_of_signatures_is_a_checked_statement(world: World) -> None:
    said = await expected(world)
    signed = await gather(world, said, world.doors)
    assert signed.statement == said
    assert all(
        world.committee.members[place] == recover(said.digest, signature)
        for place, signature in signed.signatures.items()
    )


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        (high_s, "upper half"),
        (other_statement, "something else"),
        (stranger, "no member"),
        (malformed, "fields"),
        (lambda a: replace(a, signature=a.signature[:64] + b"\x00"), "v 27 or 28"),
        (lambda a: replace(a, signature=a.signature[:-1]), "130 lower-case hex digits"),
        (lambda a: replace(a, signature=b"\xff" * 32 + a.signature[32:]), "no key"),
    ],
)
async def test_a_bad_answer_does_not_count_and_is_named(
    world: World, answers: Callable[[Attestation], Attestation], words: str
) -> None:
    said = await expected(world)
    world.doors[0].answers = answers
    with pytest.raises(NotEnoughAttestations) as caught:
        await gather(world, said, world.doors[:2])
    assert "1 of the 2" in caught.value.what
    assert "validator 0: CAIMI-M003" in caught.value.what
    assert words in caught.value.what
    await gather(world, said, world.doors)


async def test_one_member_asked_twice_counts_once(world: World) -> None:
    said = await expected(world)
    with pytest.raises(NotEnoughAttestations, match="1 of the 2"):
        await gather(world, said, [world.doors[0], world.doors[0]])


async def test_an_unreachable_validator_is_named(world: World) -> None:
    said = await expected(world)
    world.doors[1].down = True
    with pytest.raises(NotEnoughAttestations, match="validator 1: CAIMI-N005"):
        await gather(world, said, world.doors[:2])


async def test_a_slow_validator_is_named_and_waited_for_no_longer(world: World) -> None:
    said = await expected(world)
    world.doors[1].seconds = 60
    started = time.monotonic()
    with pytest.raises(NotEnoughAttestations, match=r"validator 1: no answer within 0\.05 s"):
        await gather(world, said, world.doors[:2], within_seconds=0.05)
    assert time.monotonic() - started < 5


async def test_nobody_is_waited_for_once_the_threshold_is_reached(world: World) -> None:
    said = await expected(world)
    world.doors[0].seconds = 60
    started = time.monotonic()
    await gather(world, said, world.doors)
    assert time.monotonic() - started < 5


async def test_no_more_signatures_are_paid_for_than_the_threshold(world: World) -> None:
    said = await expected(world)
    assert len((await gather(world, said, world.doors)).signatures) == 2


async def test_no_validators_is_too_few(world: World) -> None:
    said = await expected(world)
    with pytest.raises(NotEnoughAttestations, match="0 of the 2"):
        await gather(world, said, [])


async def test_a_validator_of_another_opinion_is_outvoted(world: World) -> None:
    said = await expected(world)
    world.nodes[0][world.chains[0].id].time_shift = 5
    signed = await gather(world, said, world.doors)
    assert world.committee.members.index(world.signers[0].account) not in signed.signatures


async def test_validators_of_another_epoch_do_not_count(world: World) -> None:
    said = await expected(world)
    later = make_committee(2, 2, world.committee.members)
    with pytest.raises(NotEnoughAttestations, match=r"0 of the 2.*something else"):
        await gather(world, replace(said, committee=later.hash), world.doors)


async def test_cancelling_leaves_no_question_open(world: World) -> None:
    said = await expected(world)
    for door in world.doors:
        door.seconds = 60
    task = asyncio.create_task(gather(world, said, world.doors))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asyncio.all_tasks() == {asyncio.current_task()}
