"""How packets end: once, by the answer that was given or by their time, and with what follows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from caimi.errors.ledgers import ProofRefused, TransactionReverted
from caimi.ibc.path import Path
from caimi.ledgers.port import Account, EndedPacket
from conformance.crossing import HOUR, Crossing
from conformance.feed import facts, read
from conformance.packets import CrossingFacet
from conformance.site import World


class EndingFacet(CrossingFacet):
    """The port's `Gateway.acknowledge` and `Gateway.time_out`."""

    async def test_a_packet_that_was_acknowledged_has_ended(self, world: World, crossing: Crossing):
        here, model_id = crossing.here, await world.published()
        start = (await world.ledger.head()).height
        packet, height = await crossing.send(here, world.alice, model_id, self.carol)
        delivered = await crossing.deliver([packet], here, height)
        await crossing.acknowledge(packet, here, delivered.height)
        await self.nothing_is_kept(world, crossing, packet)
        await crossing.acknowledge(packet, here, delivered.height)
        await crossing.pass_time(HOUR + 1)
        await crossing.time_out(packet, here)  # its committee lies now, and too late
        ended = [f for f in facts(await read(world.ledger, start)) if isinstance(f, EndedPacket)]
        assert ended == [EndedPacket(here.client, packet.sequence, acknowledged=True)]
        outcome = await world.ledger.bridge.outcome(model_id, here.client, packet.sequence)
        assert outcome == "completed"

    async def test_a_packet_that_timed_out_has_ended(self, world: World, crossing: Crossing):
        here, model_id = crossing.here, await world.published()
        start = (await world.ledger.head()).height
        packet, _ = await crossing.send(here, world.alice, model_id, self.carol)
        await crossing.pass_time(HOUR + 1)
        await crossing.time_out(packet, here)
        await self.nothing_is_kept(world, crossing, packet)
        await crossing.time_out(packet, here)
        ended = [f for f in facts(await read(world.ledger, start)) if isinstance(f, EndedPacket)]
        assert ended == [EndedPacket(here.client, packet.sequence, acknowledged=False)]

    async def test_an_answer_that_was_not_given_is_refused(self, world: World, crossing: Crossing):
        here, model_id = crossing.here, await world.published()
        packet, height = await crossing.send(here, world.alice, model_id, self.carol)
        delivered = await crossing.deliver([packet], here, height)
        changed = replace(packet, timeout=packet.timeout + 1)
        with pytest.raises(TransactionReverted):
            await crossing.acknowledge(changed, here, delivered.height)
        with pytest.raises(ProofRefused):
            await crossing.acknowledge(packet, here, delivered.height, [b"another answer"])
        outcome = await world.ledger.bridge.outcome(model_id, here.client, packet.sequence)
        assert outcome == "pending"
        await crossing.acknowledge(packet, here, delivered.height)

    async def test_a_model_that_the_other_side_refuses_is_its_senders_again(
        self, world: World, crossing: Crossing
    ):
        here, there, model_id = crossing.here, crossing.there, await world.published()
        nobody = Account(there.ledger.id, b"\0")
        packet, height = await crossing.send(here, world.alice, model_id, nobody)
        await crossing.carry(packet, here, height)
        outcome = await world.ledger.bridge.outcome(model_id, here.client, packet.sequence)
        assert outcome == "refunded"
        assert (await world.ledger.registry.model(model_id)).owner == world.account(world.alice)
        assert await there.ledger.registry.find(model_id) is None

    async def nothing_is_kept(self, world: World, crossing: Crossing, packet) -> None:
        path = Path.commitment(crossing.here.client, packet.sequence)
        assert await world.ledger.gateway.commitments([path]) == [bytes(32)]
