"""Fees for relayers: set aside, earned by proof, given back; or not offered at all."""

from __future__ import annotations

import pytest

from caimi.errors.ledgers import DeadlineRefused, NotOffered, TransactionReverted
from caimi.ledgers.port import RelayFee, Signer, offered
from conformance.crossing import HOUR, Crossing
from conformance.facet import Facet
from conformance.packets import CrossingFacet
from conformance.site import World

FEE = 1_000


class NoFeesFacet(Facet):
    """A ledger that relayers are not paid on."""

    async def test_fees_for_relayers_are_not_offered(self, world: World):
        assert world.ledger.fees is None
        with pytest.raises(NotOffered, match="fees for relayers"):
            offered(world.ledger.fees, world.ledger.id, "fees for relayers")


class FeesFacet(CrossingFacet):
    """The port's `RelayFees`."""

    async def test_a_fee_is_held_until_its_relayer_earns_it(self, world: World, crossing: Crossing):
        here, fees = crossing.here, world.ledger.fees
        packet, height, fee = await self.paid(world, crossing)
        assert (fee.relayer, fee.payer, fee.amount) == (
            self.relayer,
            world.account(world.alice),
            world.coin.of(FEE),
        )
        assert (fee.client_id, fee.sequence, fee.timeout) == (
            here.client,
            packet.sequence,
            packet.timeout,
        )
        assert await fees.held([fee]) == [world.coin.of(FEE)]
        delivered = await crossing.deliver([packet], here, height)
        await crossing.collect(packet, here, delivered.height, fee)
        assert await self.ended(world, fee) == (0, FEE)
        await crossing.collect(packet, here, delivered.height, fee)  # a second time gives nothing
        assert await fees.owed(self.relayer) == world.coin.of(FEE)
        await world.ledger.submit(fees.withdraw(self.relayer), world.bob)
        assert not await fees.owed(self.relayer)
        with pytest.raises(TransactionReverted):
            await world.ledger.submit(fees.withdraw(self.relayer), world.bob)

    async def test_a_fee_goes_back_when_its_packet_was_not_received(
        self, world: World, crossing: Crossing
    ):
        here = crossing.here
        packet, _, fee = await self.paid(world, crossing)
        with pytest.raises(DeadlineRefused):
            await crossing.give_back(packet, here, fee)
        await crossing.pass_time(HOUR + 1)
        await crossing.give_back(packet, here, fee)
        assert await self.ended(world, fee, world.alice) == (0, FEE)

    async def test_nothing_is_set_aside_for_a_packet_that_ended(
        self, world: World, crossing: Crossing
    ):
        packet, height, _ = await self.paid(world, crossing)
        await crossing.carry(packet, crossing.here, height)
        call = world.ledger.fees.escrow(packet, self.relayer, world.coin.of(FEE))
        with pytest.raises(TransactionReverted):
            await world.ledger.submit(call, world.alice)

    async def test_a_fee_is_not_abandoned_before_its_time(self, world: World, crossing: Crossing):
        here, fees = crossing.here, world.ledger.fees
        packet, _, fee = await self.paid(world, crossing)
        call = fees.reclaim(here.client, packet.sequence, self.relayer, world.account(world.alice))
        with pytest.raises(TransactionReverted):
            await world.ledger.submit(call, world.bob)
        await crossing.pass_time(31 * 24 * HOUR)
        await world.ledger.submit(call, world.bob)
        assert await self.ended(world, fee, world.alice) == (0, FEE)

    async def ended(self, world: World, fee: RelayFee, to: Signer | None = None) -> tuple[int, int]:
        """Give what is held still, and what is owed to whoever the fee went to."""
        fees, account = world.ledger.fees, world.account(to) if to else self.relayer
        (held,) = await fees.held([fee])
        return held.units, (await fees.owed(account)).units

    async def paid(self, world: World, crossing: Crossing):
        """Have alice send a model and set a fee aside for bob, who relays."""
        here, self.relayer = crossing.here, world.account(world.bob)
        model_id = await world.published()
        packet, height = await crossing.send(here, world.alice, model_id, self.carol)
        call = world.ledger.fees.escrow(packet, self.relayer, world.coin.of(FEE))
        done = await world.ledger.submit(call, world.alice)
        alice = world.account(world.alice)
        assert await world.ledger.fees.escrowed(alice, 0, done.height) == []
        (fee,) = await world.ledger.fees.escrowed(self.relayer, done.height - 1, done.height)
        assert fee.height == done.height
        return packet, height, fee
