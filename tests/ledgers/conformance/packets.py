"""Packets: routes, proofs, replays and timeouts; and the light clients behind the routes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from caimi.errors.ledgers import DeadlineRefused, NotAllowed, ProofRefused, TransactionReverted
from caimi.hashing import keccak256
from caimi.ibc.commitments import acknowledgement_commitment, packet_commitment
from caimi.ibc.path import Path
from caimi.ledgers.port import COMMITTEE
from caimi.messaging.checkpoint import make_committee
from caimi.messaging.rotation import Rotation
from conformance.crossing import HOUR, Crossing, MemberKey, new_members
from conformance.facet import Facet
from conformance.site import Site, World


class CrossingFacet(Facet):
    """What facets over two ledgers stand on."""

    @pytest.fixture
    async def crossing(self, world: World, far: Site) -> Crossing:
        made = await Crossing.made(world, far)
        self.carol = made.there.account(await far.wallet("carol"))
        return made


class PacketsFacet(CrossingFacet):
    """The port's `Gateway` and `LightClients`."""

    async def test_routes_name_each_other_and_their_committee(
        self, world: World, crossing: Crossing
    ):
        here, there, gateway = crossing.here, crossing.there, world.ledger.gateway
        (route,) = [each for each in await gateway.routes() if each.client_id == here.client]
        assert route.counterparty_client_id == there.client
        assert route.counterparty == there.ledger.id
        assert await gateway.committee(here.client) == crossing.committee

    async def test_a_routes_client_says_what_it_is(self, world: World, crossing: Crossing):
        clients = world.ledger.clients
        client = await clients.of(crossing.here.client)
        assert (client.kind, client.inner) == (COMMITTEE, ())
        assert await clients.frozen([client.account]) == [False]
        assert await clients.committee(client.account) == crossing.committee
        with pytest.raises(TransactionReverted):
            await clients.of("caimi-none-7")

    async def test_only_an_administrator_joins_routes(self, world: World, far: Site):
        committee = make_committee(1, 3, [member.account for member in new_members()])
        client = await world.site.add_client(far.open(), committee)
        assert client not in {each.client_id for each in await world.ledger.gateway.routes()}
        with pytest.raises(NotAllowed):
            await world.site.join(client, "caimi-far-0", by=world.alice)

    async def test_a_sent_packet_is_committed_to_and_found(self, world: World, crossing: Crossing):
        gateway, here = world.ledger.gateway, crossing.here
        model_id = await world.published()
        clients = [here.client, "caimi-none-7"]
        (before, _) = await gateway.newest_sent(clients)
        packet, height = await crossing.send(here, world.alice, model_id, self.carol)
        assert packet.sequence == before + 1
        assert await gateway.newest_sent(clients) == [packet.sequence, 0]
        path = Path.commitment(here.client, packet.sequence)
        others = [
            Path.commitment(here.client, packet.sequence + 1),
            Path.acknowledgement(here.client, packet.sequence),
            Path.commitment("caimi-none-7", packet.sequence),
        ]
        kept = await gateway.commitments([path, *others])
        assert kept == [packet_commitment(packet), *[bytes(32)] * len(others)]
        found = await gateway.find_sent(here.client, packet.sequence)
        assert found is not None
        assert (found.packet, found.height, found.ready) == (packet, height, 0)
        assert await gateway.find_sent(here.client, packet.sequence + 1) is None
        assert await gateway.sent(height, height) == []
        sent, written = await gateway.traffic(height - 1, height)
        assert (sent, written) == ([found], [])
        assert await gateway.whole_traffic(height - 1, height) == (sent, written)

    async def test_an_answer_is_committed_to_at_its_own_path(
        self, world: World, crossing: Crossing
    ):
        gateway = world.ledger.gateway
        packet, _, first = await self.returning(world, crossing)
        path = Path.acknowledgement(packet.dest_client, packet.sequence)
        assert await gateway.commitments([path]) == [bytes(32)]
        delivered = await crossing.deliver([packet], crossing.there, first)
        _, (answer,) = await gateway.traffic(delivered.height - 1, delivered.height)
        sent = Path.commitment(packet.dest_client, packet.sequence)
        assert await gateway.commitments([path, sent]) == [
            acknowledgement_commitment(answer.acknowledgements),
            bytes(32),
        ]

    async def test_a_replayed_packet_has_no_second_effect(self, world: World, crossing: Crossing):
        here, there = crossing.here, crossing.there
        packet, _, first = await self.returning(world, crossing)
        name = (here.client, packet.sequence)
        assert await world.ledger.gateway.receipts([name]) == [False]
        delivered = await crossing.deliver([packet], there, first)
        assert await world.ledger.gateway.receipts([name, (here.client, 999)]) == [True, False]
        again = await crossing.deliver([packet], there, first)
        _, written = await world.ledger.gateway.traffic(delivered.height, again.height)
        assert written == []

    async def test_a_proof_with_a_forged_signature_is_refused_by_name(
        self, world: World, crossing: Crossing
    ):
        packet, _, first = await self.returning(world, crossing)
        honest = crossing.members[2]
        crossing.members[2] = MemberKey()
        with pytest.raises(ProofRefused):
            await crossing.deliver([packet], crossing.there, first)
        crossing.members[2] = honest
        changed = replace(packet, timeout=packet.timeout + 1)
        with pytest.raises(ProofRefused):
            await crossing.deliver([changed], crossing.there, first)
        await crossing.deliver([packet], crossing.there, first)

    async def test_a_timeout_out_of_bounds_is_refused(self, world: World, crossing: Crossing):
        model_id = await world.published()
        for lasts in (3 * 24 * HOUR, -HOUR):
            with pytest.raises(DeadlineRefused):
                await crossing.send(crossing.here, world.alice, model_id, self.carol, lasts=lasts)

    async def test_a_packet_does_not_time_out_before_its_time(
        self, world: World, crossing: Crossing
    ):
        here = crossing.here
        model_id = await world.published()
        packet, _ = await crossing.send(here, world.alice, model_id, self.carol)
        with pytest.raises(DeadlineRefused):
            await crossing.time_out(packet, here)
        assert await world.ledger.bridge.outcome(model_id, here.client, packet.sequence) == (
            "pending"
        )

    async def test_a_committee_hands_over_to_the_next(self, world: World, crossing: Crossing):
        clients, here = world.ledger.clients, crossing.here
        account = (await clients.of(here.client)).account
        new = new_members()
        following = make_committee(2, 3, [member.account for member in new])
        origin = keccak256(crossing.there.ledger.gateway.address)
        rotation = Rotation(origin, crossing.committee, following)
        signed = rotation.collect(
            {member.account: rotation.sign(member) for member in crossing.members[1:]}
        )
        forged = replace(following, threshold=4)
        with pytest.raises(ProofRefused):
            await world.ledger.submit(
                clients.rotate(account, forged, signed.signers, signed.signatures), here.carrier
            )
        await world.ledger.submit(
            clients.rotate(account, following, signed.signers, signed.signatures), here.carrier
        )
        assert await clients.committee(account) == following
        assert await world.ledger.gateway.committee(here.client) == following

    async def returning(self, world: World, crossing: Crossing):
        """Send a model away and have its new owner send it back: a packet for this ledger."""
        here, there = crossing.here, crossing.there
        model_id = await world.published()
        dave = await there.site.wallet("dave")
        packet, height = await crossing.send(here, world.alice, model_id, there.account(dave))
        await crossing.carry(packet, here, height)
        back, first = await crossing.send(there, dave, model_id, world.account(world.bob))
        return back, model_id, first
