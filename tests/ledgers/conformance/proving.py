"""Proofs of the gateway's state, for the light clients that read them; or none."""

from __future__ import annotations

import pytest

from caimi.errors.ledgers import LedgerError, LedgerRefused
from caimi.ibc.commitments import packet_commitment
from caimi.ibc.path import Path
from conformance.crossing import Crossing
from conformance.facet import Facet
from conformance.packets import CrossingFacet
from conformance.site import World

ABSENT = Path.commitment("caimi-none-7", 1)


class NoProofsFacet(Facet):
    """A ledger that proves nothing of its state."""

    async def test_proofs_of_state_are_refused_by_name(self, world: World):
        height = (await world.ledger.head()).height
        with pytest.raises(LedgerRefused):
            await world.ledger.gateway.state_proof([ABSENT], height)


class NoReadsFacet(Facet):
    """A ledger of which nobody signs what was read."""

    async def test_signed_reads_are_refused_by_name(self, world: World):
        with pytest.raises(LedgerRefused):
            await world.ledger.gateway.endorsed_reads([ABSENT])


class ReadsFacet(CrossingFacet):
    """The port's `Gateway.endorsed_reads`; who may sign is in their client's own tests."""

    async def test_organisations_sign_what_is_there_and_what_is_not(
        self, world: World, crossing: Crossing
    ):
        ledger, here, model_id = world.ledger, crossing.here, await world.published()
        packet, height = await crossing.send(here, world.alice, model_id, self.carol)
        paths = [Path.commitment(here.client, packet.sequence), ABSENT]
        reads = await ledger.gateway.endorsed_reads(paths)
        assert reads.keys == tuple(path.key for path in paths)
        assert reads.values == (packet_commitment(packet), None)
        assert height <= reads.height <= (await ledger.head()).height
        assert reads.time == (await ledger.head()).time
        assert len({each.key for each in reads.endorsements}) > 1

    async def test_more_than_one_read_holds_are_refused(self, world: World):
        paths = [Path.commitment("caimi-none-7", number) for number in range(200)]
        with pytest.raises(LedgerError):
            await world.ledger.gateway.endorsed_reads(paths)


class ProofsFacet(CrossingFacet):
    """The port's `Gateway.state_proof`; what clients make of it is in their own tests."""

    async def test_a_proof_is_of_one_block_and_of_each_path(self, world: World, crossing: Crossing):
        ledger, here, model_id = world.ledger, crossing.here, await world.published()
        before = (await ledger.head()).height
        packet, height = await crossing.send(here, world.alice, model_id, self.carol)
        paths = [Path.commitment(here.client, packet.sequence), ABSENT]
        proof = await ledger.gateway.state_proof(paths, height)
        assert proof.block_hash == (await ledger.block(height)).hash
        assert len(proof.slots) == 2
        assert proof.slots[0] != proof.slots[1]
        await world.site.advance()
        assert await ledger.gateway.state_proof(paths, height) == proof
        earlier = await ledger.gateway.state_proof(paths, before)
        assert earlier.block_hash == (await ledger.block(before)).hash
        assert earlier.slots[0] != proof.slots[0]
        (other,) = (await ledger.gateway.state_proof(paths[:1], height)).slots
        assert other == proof.slots[0]
