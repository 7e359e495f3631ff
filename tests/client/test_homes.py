"""A model is looked up at its home: whatever another ledger says of it is not believed."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caimi.client.aliases import alias_history
from caimi.client.catalogue import history, search, show
from caimi.client.publish import publish
from caimi.client.purchase import buy
from caimi.client.resolve import fetch_manifest, resolve
from caimi.client.transfer import transfer
from caimi.client.voyage import follow
from caimi.custody import tdh2
from caimi.custody.delivery import RecipientKey
from caimi.custody.request import ShareRequest
from caimi.custody.unlock import Status, unlock
from caimi.demo.world import World, start_world
from caimi.errors.custody import ForeignHome, NotEnoughShares
from caimi.errors.ledgers import UnknownModel
from caimi.errors.node import NodeRefused
from caimi.models.package import Package
from caimi.uri import ModelUri
from lying_world import LyingLedger, address


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with start_world("embedded", tmp_path) as started:
        yield started


async def abroad(world: World, tmp_path: Path) -> tuple[ModelUri, ModelUri]:
    """Publish on `a`, move to the consumer on `b`; give the model's URI and what `b` would say."""
    file = tmp_path / "model.bin"
    file.write_bytes(b"weights")
    package = Package.from_path(file)
    done = await publish(
        world.publisher, package, ledger=world.a.id, name="m", version="1.0.0", price="5"
    )
    uri = ModelUri.parse(done.uri)
    account = world.consumer.identity.account(world.b.id)
    await transfer(world.publisher, uri, to=world.b.id, recipient=account)
    return uri, ModelUri(world.b.id, uri.model_id, "1.0.0")


async def test_the_holder_of_a_foreign_token_gets_no_key(world: World, tmp_path: Path) -> None:
    uri, _ = await abroad(world, tmp_path)
    resolved = await resolve(world.consumer, uri)
    manifest = await fetch_manifest(world.consumer, resolved)
    ciphertext = tdh2.Ciphertext.from_bytes(manifest.capsule.ciphertext)
    recipient = RecipientKey.generate()
    for ledger in (world.a, world.b):
        request = ShareRequest(
            ledger=ledger.id,
            model_id=uri.model_id,
            version="1.0.0",
            consumer=world.consumer.name(world.consumer.identity.account(world.b.id)),
            hpke_public_key=recipient.public_bytes,
            ciphertext=manifest.capsule.ciphertext,
            issued_at=int(time.time()),
        )
        assert world.consumer.group is not None
        with pytest.raises(NotEnoughShares) as refusal:
            await unlock(
                ciphertext,
                request.sign(world.consumer.wallet(world.b.id)),
                recipient,
                world.consumer.custodians,
                world.consumer.group,
            )
        assert len(refusal.value.outcomes) == len(world.nodes)
        assert all("CAIMI-K011" in said for said in refusal.value.outcomes.values())
        assert not any(Status.SHARED.value in said for said in refusal.value.outcomes.values())


async def test_no_operation_takes_a_foreign_ledger_for_the_home(
    world: World, tmp_path: Path
) -> None:
    uri, foreign = await abroad(world, tmp_path)
    context = world.consumer
    for attempt in (
        lambda: resolve(context, foreign),
        lambda: buy(context, foreign, ledger=world.b.id),
        lambda: show(context, foreign),
        lambda: history(context, foreign),
        lambda: follow(context, foreign),
        lambda: alias_history(context, foreign, "stable"),
        lambda: publish(
            context,
            Package.from_path(tmp_path / "model.bin"),
            ledger=world.b.id,
            name="m",
            version="2.0.0",
            model=foreign,
        ),
    ):
        with pytest.raises(ForeignHome):
            await attempt()
    assert [found.uri for found in await search(context)] == [str(uri.with_selector(None))]
    with pytest.raises(NodeRefused, match="CAIMI-R007"):
        await world.worker.infer(foreign, {}, bytes(32))


NUMBERS = st.sampled_from((1, 2, 3))


@given(st.lists(st.tuples(NUMBERS, NUMBERS, st.booleans(), NUMBERS), max_size=8), NUMBERS, NUMBERS)
async def test_a_version_is_its_homes_whatever_the_others_publish_under_its_id(
    told: list[tuple[int, int, bool, int]], asked: int, about: int
) -> None:
    ledgers = {number: LyingLedger(number) for number in (1, 2, 3)}
    context = SimpleNamespace(ledger=lambda name: ledgers[int(name.partition(":")[2])])
    ids = {
        number: ledger.model_id(ledger.account(address(0)), "m")
        for number, ledger in ledgers.items()
    }
    for teller, of, claims_home, owner in told:
        home = b"" if claims_home or teller == of else b"\x01"
        ledgers[teller].say_model(ids[of], address(0), "m", address(owner), home=home)
        ledgers[teller].say_version(ids[of], "1.0.0", bytes([teller]) * 32)
    uri = ModelUri(ledgers[asked].id, ids[about], "1.0.0")
    known = any((teller, of) == (asked, about) for teller, of, _, _ in told)
    if asked == about and known:
        resolved = await resolve(context, uri)
        assert resolved.version.manifest == bytes([about]) * 32
    else:
        with pytest.raises(ForeignHome if known else UnknownModel):
            await resolve(context, uri)
