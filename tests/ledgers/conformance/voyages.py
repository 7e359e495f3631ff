"""Ownership over ledgers: a model leaves, arrives, comes back, waits, or is not taken in time."""

from __future__ import annotations

import pytest

from caimi.errors.ledgers import AlreadyPublished, NotAllowed, TransactionReverted
from conformance.crossing import HOUR, Crossing
from conformance.packets import CrossingFacet
from conformance.site import World


class VoyagesFacet(CrossingFacet):
    """The port's `Bridge`, and what the `Registry` tells of models that moved."""

    async def test_a_model_goes_to_another_ledger_and_comes_back(
        self, world: World, crossing: Crossing
    ):
        here, there, bridge = crossing.here, crossing.there, world.ledger.bridge
        registry, other = world.ledger.registry, there.ledger.registry
        model_id = await world.published()
        dave = await there.site.wallet("dave")
        assert await bridge.outcome(model_id, here.client, 77_777) == "unknown"
        before = await bridge.allowance(here.client)
        packet, height = await crossing.send(here, world.alice, model_id, there.account(dave))
        lock = await bridge.lock(model_id)
        assert lock is not None
        assert (lock.client_id, lock.sequence, lock.completed) == (
            here.client,
            packet.sequence,
            False,
        )
        assert await bridge.outcome(model_id, here.client, packet.sequence) == "pending"
        away = await bridge.allowance(here.client)
        assert (away.out, away.breaker_open) == (before.out + 1, False)
        assert (away.sending, away.receiving) == (before.sending - 1, before.receiving)

        delivered = await crossing.deliver([packet], here, height)
        arrived = await other.model(model_id)
        assert (arrived.owner, arrived.home) == (there.account(dave), registry.address)
        assert arrived.publisher is None
        assert await there.ledger.bridge.came_by(model_id) == there.client
        foreign = await other.foreign(model_id)
        assert (foreign.home, foreign.name, foreign.path) == (registry.address, "tumour-mlp", ())
        assert foreign.publisher == world.alice.account
        said = foreign.stated
        assert (said.version, said.manifest, said.version_count) == ("1.0.0", b"\x11" * 32, 1)
        await crossing.acknowledge(packet, here, delivered.height)
        assert await bridge.outcome(model_id, here.client, packet.sequence) == "completed"
        lock = await bridge.lock(model_id)
        assert lock is not None
        assert lock.completed
        further = registry.publish_version(model_id, "2.0.0", b"\2" * 32)
        with pytest.raises(NotAllowed):
            await world.ledger.submit(further, world.alice)

        back, first = await crossing.send(there, dave, model_id, world.account(world.bob))
        await crossing.carry(back, there, first)
        assert (await registry.model(model_id)).owner == world.account(world.bob)
        assert (await other.model(model_id)).owner is None
        assert await bridge.lock(model_id) is None
        assert await bridge.came_by(model_id) == ""
        assert (await bridge.allowance(here.client)).out == before.out
        outcome = await there.ledger.bridge.outcome(model_id, there.client, back.sequence)
        assert outcome == "completed"

    async def test_a_model_that_is_not_taken_in_time_is_its_senders_again(
        self, world: World, crossing: Crossing
    ):
        here = crossing.here
        model_id = await world.published()
        packet, height = await crossing.send(here, world.alice, model_id, self.carol, lasts=60)
        await crossing.pass_time(120)
        # What comes late is not taken.
        late = await crossing.deliver([packet], here, height)
        _, written = await crossing.there.ledger.gateway.traffic(late.height - 1, late.height)
        assert written == []
        await crossing.time_out(packet, here)
        outcome = await world.ledger.bridge.outcome(model_id, here.client, packet.sequence)
        assert outcome == "refunded"
        assert (await world.ledger.registry.model(model_id)).owner == world.account(world.alice)
        assert await world.ledger.bridge.lock(model_id) is None
        assert await crossing.there.ledger.registry.find(model_id) is None

    async def test_many_models_under_one_proof_arrive(self, world: World, crossing: Crossing):
        here = crossing.here
        models = [await world.published(f"model-{n}") for n in range(3)]
        sent = [await crossing.send(here, world.alice, each, self.carol) for each in models]
        await crossing.deliver([packet for packet, _ in sent], here, sent[0][1])
        for model_id in models:
            assert (await crossing.there.ledger.registry.model(model_id)).owner == self.carol

    async def test_a_model_waits_until_it_is_as_deep_as_its_sender_asked(
        self, world: World, crossing: Crossing
    ):
        here = crossing.here
        model_id = await world.published()
        packet, height = await crossing.send(here, world.alice, model_id, self.carol, depth=6)
        found = await world.ledger.gateway.find_sent(here.client, packet.sequence)
        assert found is not None
        assert found.ready == height + 6
        await crossing.deliver([packet], here, height)
        assert await crossing.there.ledger.registry.find(model_id) is None
        await here.site.advance(blocks=6)
        await crossing.deliver([packet], here, height)
        assert (await crossing.there.ledger.registry.model(model_id)).owner == self.carol

    async def test_only_a_models_owner_sends_it_and_not_twice(
        self, world: World, crossing: Crossing
    ):
        ledger, here = world.ledger, crossing.here
        model_id = await world.published()
        timeout = await crossing.in_step() + HOUR
        send = ledger.bridge.send(here.client, model_id, self.carol, timeout)
        approve = ledger.registry.approve(model_id, ledger.bridge.account)
        await ledger.submit(approve, world.alice)
        with pytest.raises(TransactionReverted):
            await ledger.submit(send, world.bob)
        await ledger.submit(send, world.alice)
        with pytest.raises(TransactionReverted):
            await ledger.submit(send, world.alice)
        again = ledger.registry.publish("tumour-mlp", "1.0.0", b"\x22" * 32)
        with pytest.raises((NotAllowed, AlreadyPublished)):
            await ledger.submit(again, world.alice)
