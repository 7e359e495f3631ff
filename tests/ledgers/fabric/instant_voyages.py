"""Voyages from a channel, whose blocks are final at once."""

from __future__ import annotations

from conformance.crossing import Crossing
from conformance.site import World
from conformance.voyages import VoyagesFacet


class InstantVoyagesFacet(VoyagesFacet):
    """The suite's, where contracts see no heights: a depth counts from the first block."""

    async def test_a_model_waits_until_it_is_as_deep_as_its_sender_asked(
        self, world: World, crossing: Crossing
    ):
        here = crossing.here
        model_id = await world.published()
        packet, height = await crossing.send(here, world.alice, model_id, self.carol, depth=6)
        found = await world.ledger.gateway.find_sent(here.client, packet.sequence)
        assert found is not None
        assert found.ready == 6 <= height
        await crossing.deliver([packet], here, height)
        assert (await crossing.there.ledger.registry.model(model_id)).owner == self.carol
