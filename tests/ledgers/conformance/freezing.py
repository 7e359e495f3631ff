"""Clients whose committee contradicts itself: they prove nothing, until others take their place."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from caimi.errors.ledgers import NotAllowed, ProofRefused, TransactionReverted
from caimi.ibc.packet import Packet
from caimi.ibc.statements import Kind
from caimi.ledgers.port import Account
from caimi.messaging.checkpoint import make_committee
from caimi.messaging.conflicts import Conflict, Conflicts
from caimi.messaging.proof import Tree, block_fact, block_key
from conformance.crossing import THRESHOLD, Crossing, End, new_members
from conformance.packets import CrossingFacet
from conformance.site import Site, World


@dataclass
class Underway:
    """A packet that one of the ends has sent, and at which height."""

    model_id: bytes
    packet: Packet
    height: int
    start: End


async def contradiction(crossing: Crossing, at: End) -> Conflict:
    """Have the committee sign two times of one block of the ledger that an end hears of."""
    of, conflicts = crossing.other(at), Conflicts()
    await crossing.in_step()
    block = await of.ledger.finalized()
    tree, keys = Tree.of([block_fact(block)]), [block_key(block.height)]
    blocks, found = (block.height - 1, block.height), None
    for time in (block.time, block.time - 1):
        proof = await crossing.sign(of, at, (Kind.CHECKPOINT, blocks, time), tree, keys)
        found = conflicts.add(proof.data)
    assert found is not None
    return found


class FreezingFacet(CrossingFacet):
    """The port's `LightClients.frozen`, and what becomes of a route."""

    async def test_a_committee_that_contradicts_itself_freezes_its_client(
        self, world: World, crossing: Crossing
    ):
        here, clients = crossing.here, world.ledger.clients
        account = (await clients.of(here.client)).account
        found = await contradiction(crossing, here)
        with pytest.raises(TransactionReverted):
            await here.site.report(here.client, found.first, found.first, world.bob)
        assert await clients.frozen([account]) == [False]
        await here.site.report(here.client, found.first, found.second, world.bob)
        assert await clients.frozen([account]) == [True]
        there = crossing.there.ledger.clients
        theirs = (await there.of(crossing.there.client)).account
        assert await there.frozen([theirs]) == [False]

    async def test_what_others_signed_freezes_nothing(self, world: World, crossing: Crossing):
        here, clients = crossing.here, world.ledger.clients
        account = (await clients.of(here.client)).account
        crossing.members[:] = new_members()
        found = await contradiction(crossing, here)
        with pytest.raises(ProofRefused):
            await here.site.report(here.client, found.first, found.second, world.bob)
        assert await clients.frozen([account]) == [False]

    async def test_a_frozen_route_takes_nothing_until_its_client_is_replaced(
        self, world: World, far: Site, crossing: Crossing
    ):
        here = crossing.here
        sent, coming = await self.both_ways(world, crossing)
        answered = await crossing.deliver([sent.packet], here, sent.height)
        fresh, members = await self.spare(world, far)
        with pytest.raises(TransactionReverted):
            await here.site.recover(here.client, fresh)  # it is not frozen
        found = await contradiction(crossing, here)
        await here.site.report(here.client, found.first, found.second, world.bob)
        with pytest.raises(ProofRefused):
            await crossing.deliver([coming.packet], coming.start, coming.height)
        with pytest.raises(ProofRefused):
            await crossing.acknowledge(sent.packet, here, answered.height)
        with pytest.raises(NotAllowed):
            await here.site.recover(here.client, fresh, by=world.alice)

        await here.site.recover(here.client, fresh)
        clients = world.ledger.clients
        assert (await clients.of(here.client)).account == fresh
        assert await clients.frozen([fresh]) == [False]
        with pytest.raises(ProofRefused):  # as the former committee signs
            await crossing.deliver([coming.packet], coming.start, coming.height)
        crossing.members[:] = members
        await crossing.deliver([coming.packet], coming.start, coming.height)
        owner = (await world.ledger.registry.model(coming.model_id)).owner
        assert owner == world.account(world.bob)
        await crossing.acknowledge(sent.packet, here, answered.height)
        outcome = world.ledger.bridge.outcome(sent.model_id, here.client, sent.packet.sequence)
        assert await outcome == "completed"

    async def both_ways(self, world: World, crossing: Crossing) -> tuple[Underway, Underway]:
        """Have one model on its way there, and another on its way here."""
        here, there, registry = crossing.here, crossing.there, crossing.there.ledger.registry
        going, dave = await world.published(), await there.site.wallet("dave")
        await there.ledger.submit(registry.publish("m", "1.0.0", b"\2" * 32), dave)
        coming, bob = registry.model_id(there.account(dave), "m"), world.account(world.bob)
        back, first = await crossing.send(there, dave, coming, bob)
        sent, height = await crossing.send(here, world.alice, going, self.carol)
        return Underway(going, sent, height, here), Underway(coming, back, first, there)

    async def spare(self, world: World, far: Site) -> tuple[Account, list]:
        """Make another client of the far ledger; gives it, and its committee."""
        members, other = new_members(), far.open()
        committee = make_committee(1, THRESHOLD, [member.account for member in members])
        route = await world.site.add_client(other, committee)
        await other.aclose()
        return (await world.ledger.clients.of(route)).account, members
