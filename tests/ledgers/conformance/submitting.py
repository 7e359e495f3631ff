"""A call takes effect once, wherever the process dies and whatever answer is lost."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from caimi.errors.ledgers import AlreadyPublished, CallInvalid, LedgerUnavailable
from caimi.ledgers.port import Call
from conformance.facet import Facet
from conformance.site import Killed, MemoryOutbox, World


class SubmittingFacet(Facet):
    """`Ledger.submit`, `sign` and `broadcast`."""

    def publishing(self, world: World, name: str = "m") -> Call[None]:
        return world.ledger.registry.publish(name, "1.0.0", b"\x01" * 32)

    async def versions(self, world: World, name: str = "m") -> int:
        registry = world.ledger.registry
        return (
            await registry.model(registry.model_id(world.account(world.alice), name))
        ).version_count

    async def test_what_is_signed_has_no_effect_until_it_is_broadcast_and_then_one(
        self, world: World
    ):
        signed = await world.ledger.sign(self.publishing(world), world.alice)
        assert await world.site.sent(world.alice) == 0
        for tx in (signed.tx, signed.tx[:-1], "77" * 32, "", "\x00"):
            assert await world.ledger.height_of(tx) is None
        first = await world.ledger.broadcast(signed)
        again = await world.ledger.broadcast(signed)
        assert first.tx == again.tx == signed.tx
        assert await world.ledger.height_of(first.tx) == first.height
        assert await world.site.sent(world.alice) == 1
        assert await self.versions(world) == 1

    async def test_a_call_that_would_be_refused_is_not_signed(self, world: World):
        await world.published("m")
        with pytest.raises(AlreadyPublished):
            await world.ledger.sign(self.publishing(world), world.alice)

    async def test_twenty_calls_of_one_account_at_once_are_twenty_transactions(self, world: World):
        calls = [self.publishing(world, f"model-{n}") for n in range(20)]
        done = await asyncio.gather(*(world.ledger.submit(c, world.alice) for c in calls))
        assert len({each.tx for each in done}) == 20
        assert await world.site.sent(world.alice) == 20

    async def test_a_refused_call_leaves_no_gap_behind(self, world: World):
        await world.published()
        calls = [self.publishing(world, name) for name in ("one", "tumour-mlp", "two")]
        results = await asyncio.gather(
            *(world.ledger.submit(c, world.alice) for c in calls), return_exceptions=True
        )
        assert [isinstance(r, AlreadyPublished) for r in results] == [False, True, False]
        assert await world.site.sent(world.alice) == 3

    async def test_killed_between_record_and_broadcast_it_is_sent_once(self, world: World):
        outbox = MemoryOutbox(die_after_record=True)
        call = self.publishing(world)
        with pytest.raises(Killed):
            await world.ledger.submit(call, world.alice, outbox=outbox, key="publish")
        assert await world.site.sent(world.alice) == 0
        again = world.site.open()
        done = await again.submit(call, world.alice, outbox=outbox, key="publish")
        assert done.tx == outbox.entries["publish"].tx
        assert await world.site.sent(world.alice) == 1
        await again.aclose()

    @pytest.mark.parametrize("failure", [Killed(), LedgerUnavailable("The answer is lost.")])
    async def test_killed_after_broadcast_it_is_found_and_not_sent_again(
        self, world: World, failure: Exception
    ):
        outbox, call = MemoryOutbox(), self.publishing(world)
        failing = world.site.failing(failure)
        with pytest.raises(type(failure)):
            await failing.submit(call, world.alice, outbox=outbox, key="publish")
        found = await failing.submit(call, world.alice, outbox=outbox, key="publish")
        assert found.tx == outbox.entries["publish"].tx
        await failing.aclose()
        for _ in range(2):
            again = world.site.open()
            done = await again.submit(call, world.alice, outbox=outbox, key="publish")
            assert done.tx == outbox.entries["publish"].tx
            await again.aclose()
        assert await world.site.sent(world.alice) == 1
        assert set(outbox.entries) == {"publish"}

    async def test_the_effect_of_a_call_is_told_to_whoever_finishes_it(self, world: World):
        outbox, call = MemoryOutbox(), world.ledger.receipts.anchor(b"\x05" * 32, 3)
        await world.ledger.submit(world.ledger.receipts.anchor(b"\x04" * 32, 3), world.alice)
        failing = world.site.failing(Killed())
        with pytest.raises(Killed):
            await failing.submit(call, world.alice, outbox=outbox, key="anchor")
        await failing.aclose()
        done = await world.ledger.submit(call, world.alice, outbox=outbox, key="anchor")
        assert done.effect == 1

    async def test_one_key_submitted_at_once_by_many_is_one_transaction(self, world: World):
        outbox, call = MemoryOutbox(), self.publishing(world)
        done = await asyncio.gather(
            *(world.ledger.submit(call, world.alice, outbox=outbox, key="k") for _ in range(5))
        )
        assert len({each.tx for each in done}) == 1
        assert await world.site.sent(world.alice) == 1

    async def test_a_dead_call_is_made_anew(self, world: World):
        outbox = MemoryOutbox(die_after_record=True)
        call = self.publishing(world)
        with pytest.raises(Killed):
            await world.ledger.submit(call, world.alice, outbox=outbox, key="publish")
        await world.site.outdate(world.alice)
        before = await world.site.sent(world.alice)
        again = world.site.open()
        done = await again.submit(call, world.alice, outbox=outbox, key="publish")
        assert set(outbox.entries) == {"publish", "publish#1"}
        assert done.tx == outbox.entries["publish#1"].tx
        assert await world.site.sent(world.alice) == before + 1
        assert await self.versions(world) == 1
        await again.aclose()

    async def test_a_damaged_record_is_refused(self, world: World):
        outbox, call = MemoryOutbox(), self.publishing(world)
        signed = await world.ledger.sign(call, world.alice)
        spoilt = signed.raw[:-1] + bytes([signed.raw[-1] ^ 1])
        await outbox.record("k", replace(signed, raw=spoilt))
        with pytest.raises(CallInvalid, match="damaged"):
            await world.ledger.submit(call, world.alice, outbox=outbox, key="k")
        assert await world.site.sent(world.alice) == 0
