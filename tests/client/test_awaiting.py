"""Who waits for a packet is told what it waits for; validators are asked, and none is believed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import pytest_asyncio

from caimi.client import awaiting, signing_members
from caimi.client.awaiting import Awaited
from caimi.client.context import Context
from caimi.client.packets import follow_packets
from caimi.client.publish import publish
from caimi.client.purchase import buy
from caimi.client.signing_members import SignatureCount, signatures
from caimi.client.transfer import transfer
from caimi.demo.world import World, start_world
from caimi.errors.ledgers import LedgerUnavailable
from caimi.errors.operations import StillInFlight
from caimi.keystore import LocalSigner
from caimi.ledgers.port import LedgerId
from caimi.messaging.attestations import ValidatorClient
from caimi.messaging.checkpoint import Attestation
from caimi.models.package import Package
from caimi.uri import ModelUri

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with start_world("embedded", tmp_path_factory.mktemp("world")) as started:
        yield started


@pytest.fixture(autouse=True)
def at_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(awaiting, "_LOOK_SECONDS", 0.0)
    monkeypatch.setattr(awaiting, "_ASK_SECONDS", 0.0)


class Told(list[tuple[str, int, int | None]]):
    """What was told as progress, each once."""

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        if not self or self[-1] != (stage, done, total):
            self.append((stage, done, total))


async def nobody() -> None:
    """Carry nothing."""


async def model(world: World, folder: Path, name: str, price: str | None = None) -> ModelUri:
    file = folder / "model.bin"
    file.write_bytes(name.encode())
    what = {"ledger": world.a.id, "name": name, "version": "1.0.0", "price": price}
    done = await publish(world.publisher, Package.from_path(file), **what)
    return ModelUri.parse(done.uri)


async def test_a_purchase_from_afar_tells_each_thing_it_waits_for(
    world: World, tmp_path: Path
) -> None:
    uri, told = await model(world, tmp_path, "bought", "5"), Told()
    await buy(world.consumer, uri, ledger=world.b.id, progress=told)
    a, b = world.a.id, world.b.id
    stages = list(dict.fromkeys(stage for stage, _, _ in told))
    assert stages.pop(1).startswith("packet sent: `caimi packet show ")
    assert stages[:3] == [f"payment on {b}", f"finality on {b}", f"signatures over {b}"]
    assert stages[3:] == [f"delivery to {a}", f"acknowledgement on {b}"]
    assert (f"signatures over {b}", 3, 3) in told
    assert (f"delivery to {a}", 1, 1) in told


async def test_a_transfer_tells_of_the_block_that_is_to_be_final(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri, told = (await model(world, tmp_path, "moved")).with_selector(None), Told()
    recipient = world.publisher.identity.account(world.b.id)
    waiting = replace(world.publisher, carry=nobody, wait_seconds=0)

    async def first() -> object:
        return await world.a.block(1)

    with monkeypatch.context() as young:
        young.setattr(type(world.a), "finalized", lambda self: first())
        with pytest.raises(StillInFlight):
            await transfer(waiting, uri, to=world.b.id, recipient=recipient, progress=told)
    stage, done, total = told[-1]
    assert (stage, done) == (f"finality on {world.a.id}", 1)
    assert total is not None
    assert total > 1


async def test_nothing_that_cannot_be_seen_ends_the_waiting(world: World, tmp_path: Path) -> None:
    route = (await world.a.gateway.routes())[0]

    class Down:
        id = world.a.id

        @property
        def gateway(self) -> object:
            raise LedgerUnavailable("It does not answer.")

    told = Told()
    await Awaited(world.consumer, Down(), (route.client_id, 1), told).look()
    await Awaited(world.consumer, world.a, (route.client_id, 99), told).look()
    assert told == []


@dataclass
class Strange:
    """A validator that does something else than it should."""

    validator: ValidatorClient
    name: str

    async def attest(self, ledger: LedgerId, from_height: int, height: int) -> Attestation:
        match self.name:
            case "silent":
                await asyncio.sleep(60)
            case "down":
                raise LedgerUnavailable("It is away.")
            case "stranger":
                signed = await self.validator.attest(ledger, from_height, height)
                signer = LocalSigner.generate()
                return replace(signed, signature=signer.sign_digest(signed.statement.digest))
            case "wider":
                return await self.validator.attest(ledger, from_height - 1, height)
        return await self.validator.attest(ledger, from_height, height)


def asking(world: World, strange: Sequence[str]) -> Context:
    some = [
        Strange(validator, name)
        for validator, name in zip(world.validators, [*strange, *["well"] * 5], strict=False)
    ]
    return replace(world.consumer, validators=lambda: some)


async def sent_packet(world: World, folder: Path, name: str) -> tuple[str, int, str]:
    """Send a model that nobody carries; gives its packet, the height, and the client over there."""
    uri = (await model(world, folder, name)).with_selector(None)
    waiting = replace(world.publisher, carry=nobody, wait_seconds=0)
    recipient = world.publisher.identity.account(world.b.id)
    with pytest.raises(StillInFlight):
        await transfer(waiting, uri, to=world.b.id, recipient=recipient)
    lock = await world.a.bridge.lock(uri.model_id)
    assert lock is not None
    sent = await world.a.gateway.find_sent(lock.client_id, lock.sequence)
    assert sent is not None
    return f"{lock.client_id}/{lock.sequence}", sent.height, sent.packet.dest_client


@pytest.mark.parametrize("strange", ["silent", "down", "stranger", "wider"])
async def test_a_validator_that_signs_nothing_of_use_does_not_count_and_is_named(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strange: str
) -> None:
    monkeypatch.setattr(signing_members, "_SECONDS", 0.5)
    name, height, client = await sent_packet(world, tmp_path, f"signed-{strange}")
    believing = (world.b, client)
    found = await signatures(asking(world, [strange] * 3), world.a.id, height, believing)
    assert found is not None
    assert (found.given, found.needed, found.members, found.enough) == (2, 3, 5, False)
    assert [each.split(":")[0] for each in found.silent] == [strange] * 3
    (packet,) = await follow_packets(asking(world, [strange] * 3), name)
    assert packet.waits_for == "signatures of the committee: 2 of 5 members, 3 are needed"
    assert strange in packet.next_step
    (packet,) = await follow_packets(asking(world, [strange] * 2), name)
    assert packet.signatures is not None
    assert packet.signatures.enough
    assert packet.waits_for.startswith("a relayer to deliver it")


async def test_one_validator_that_is_asked_twice_counts_once(world: World, tmp_path: Path) -> None:
    _, height, client = await sent_packet(world, tmp_path, "once")
    same = replace(world.consumer, validators=lambda: [world.validators[0]] * 5)
    found = await signatures(same, world.a.id, height, (world.b, client))
    assert found == SignatureCount(1, 3, 5, ())


async def test_where_there_is_nobody_to_ask_nothing_is_told(world: World, tmp_path: Path) -> None:
    name, height, client = await sent_packet(world, tmp_path, "alone")
    alone = replace(world.consumer, validators=list)
    assert await signatures(alone, world.a.id, height, (world.b, client)) is None
    assert await signatures(world.consumer, world.a.id, height, (world.b, "client-none")) is None
    (packet,) = await follow_packets(alone, name)
    assert packet.signatures is None
    assert packet.waits_for.startswith("a relayer to deliver it")
