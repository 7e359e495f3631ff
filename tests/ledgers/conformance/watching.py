"""What a watcher sees and does: what arrived and ended with its proofs, and pauses."""

from __future__ import annotations

import pytest

from caimi.errors.ledgers import NotAllowed, NotOffered, TransactionReverted
from caimi.ledgers.port import offered
from conformance.crossing import HOUR, Crossing
from conformance.facet import Facet
from conformance.packets import CrossingFacet
from conformance.site import World


class NoWatchingFacet(Facet):
    """A ledger that nobody watches."""

    async def test_watching_is_not_offered(self, world: World):
        assert world.ledger.watching is None
        with pytest.raises(NotOffered, match="watching"):
            offered(world.ledger.watching, world.ledger.id, "watching")


class WatchingFacet(CrossingFacet):
    """The port's `Watching`."""

    async def test_an_acknowledged_packet_is_told_with_its_answer_and_proof(
        self, world: World, crossing: Crossing
    ):
        here, watching = crossing.here, world.ledger.watching
        model_id = await world.published()
        packet, height = await crossing.send(here, world.alice, model_id, self.carol)
        delivered = await crossing.deliver([packet], here, height)
        _, (answer,) = await crossing.there.ledger.gateway.traffic(
            delivered.height - 1, delivered.height
        )
        before = (await world.ledger.head()).height
        done = await crossing.acknowledge(packet, here, delivered.height)
        (ending,) = await watching.ended(before, done.height)
        assert (ending.source_client, ending.sequence) == (here.client, packet.sequence)
        assert (ending.acknowledged, ending.acknowledgements) == (True, answer.acknowledgements)
        assert (ending.height, ending.tx, bool(ending.proof)) == (done.height, done.tx, True)
        assert await watching.arrivals(before, done.height) == {(here.client, packet.sequence)}
        assert await watching.delivered(before, done.height) == []

    async def test_a_packet_that_timed_out_is_told_without_an_answer(
        self, world: World, crossing: Crossing
    ):
        here, watching = crossing.here, world.ledger.watching
        model_id = await world.published()
        packet, _ = await crossing.send(here, world.alice, model_id, self.carol)
        await crossing.pass_time(HOUR + 1)
        done = await crossing.time_out(packet, here)
        (ending,) = await watching.ended(done.height - 1, done.height)
        assert (ending.sequence, ending.acknowledged) == (packet.sequence, False)
        assert ending.acknowledgements is None
        assert await watching.ended(done.height, done.height) == []

    async def test_a_delivered_packet_is_told_as_it_came_with_its_proof(
        self, world: World, crossing: Crossing
    ):
        here, there, watching = crossing.here, crossing.there, world.ledger.watching
        model_id = await world.published()
        dave = await there.site.wallet("dave")
        packet, height = await crossing.send(here, world.alice, model_id, there.account(dave))
        await crossing.carry(packet, here, height)
        back, first = await crossing.send(there, dave, model_id, world.account(world.bob))
        done = await crossing.deliver([back], there, first)
        (delivery,) = await watching.delivered(done.height - 1, done.height)
        assert (delivery.dest_client, delivery.sequence) == (here.client, back.sequence)
        assert (delivery.packet, delivery.deferred) == (back, False)
        assert (delivery.tx, delivery.height, bool(delivery.proof)) == (done.tx, done.height, True)
        assert await watching.arrivals(done.height - 1, done.height) == {
            (here.client, back.sequence)
        }

    async def test_a_guardian_pauses_a_route_and_nothing_is_sent_over_it(
        self, world: World, crossing: Crossing
    ):
        here, watching = crossing.here, world.ledger.watching
        call = watching.pause_route(here.client)
        with pytest.raises(NotAllowed):
            await world.ledger.submit(call, world.alice)
        assert not await watching.route_paused(here.client)
        await world.ledger.submit(call, world.site.guardian)
        assert await watching.route_paused(here.client)
        model_id = await world.published()
        with pytest.raises(TransactionReverted):
            await crossing.send(here, world.alice, model_id, self.carol)
