"""Blocks, finality, and calls that are not for the ledger."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from caimi.errors.ledgers import CallInvalid, LedgerBehind, NotYetFinal
from conformance.facet import ELSEWHERE, Facet
from conformance.site import World


class BlocksFacet(Facet):
    """The ledger itself."""

    async def test_a_deployed_ledger_passes_its_check(self, world: World):
        await world.ledger.check()

    async def test_a_call_for_another_ledger_is_not_signed(self, world: World):
        call = world.ledger.registry.publish("m", "1.0.0", b"\x01" * 32)
        astray = replace(call, ledger=ELSEWHERE)
        for attempt in (world.ledger.submit, world.ledger.sign):
            with pytest.raises(CallInvalid, match=f"for {ELSEWHERE}"):
                await attempt(astray, world.alice)

    async def test_a_call_is_described_in_the_ledgers_own_words(self, world: World):
        call = world.ledger.registry.publish("m", "1.0.0", b"\x01" * 32)
        described = world.ledger.describe(call)
        assert described
        assert described == world.ledger.describe(call)
        assert described != world.ledger.describe(
            world.ledger.registry.publish("n", "1.0.0", b"\x01" * 32)
        )

    async def test_blocks_are_chained_by_height_and_time(self, world: World):
        await world.site.advance()
        head = await world.ledger.head()
        before = await world.ledger.block(head.height - 1)
        assert before.height == head.height - 1
        assert before.time <= head.time
        assert before.hash != head.hash
        assert await world.ledger.block(head.height) == head

    async def test_time_passes_with_the_blocks(self, world: World):
        before = await world.ledger.head()
        await world.site.advance(seconds=3600)
        after = await world.ledger.head()
        assert after.time >= before.time + 3600
        assert after.height > before.height

    async def test_a_done_call_names_its_block(self, world: World):
        call = world.ledger.registry.publish("m", "1.0.0", b"\x01" * 32)
        done = await world.ledger.submit(call, world.alice)
        assert done.ledger == world.ledger.id
        assert done.time == (await world.ledger.block(done.height)).time

    async def test_a_block_above_the_head_is_refused(self, world: World):
        head = await world.ledger.head()
        with pytest.raises(LedgerBehind, match="no block"):
            await world.ledger.block(head.height + 1000)

    async def test_a_depth_policy_holds_back_the_newest_blocks(self, world: World):
        deep = world.site.deep(3)
        await world.site.advance(blocks=4)
        head = await deep.head()
        assert (await deep.finalized()).height == head.height - 3
        waiting = asyncio.create_task(deep.wait_final(head.height))
        for _ in range(3):
            assert not waiting.done()
            await world.site.advance()
        assert (await waiting).height >= head.height
        await deep.aclose()

    async def test_waiting_for_a_height_that_never_comes_ends(self, world: World):
        hasty = world.site.open(patience=0.1)
        head = await hasty.head()
        with pytest.raises(NotYetFinal):
            await hasty.wait_final(head.height + 50)
        await hasty.aclose()
