"""Blocks that are not final and come undone; or ledgers on which none ever does."""

from __future__ import annotations

from caimi.ledgers.port import FINAL, NEWEST, AnchoredReceipts, Ledger
from conformance.facet import Facet
from conformance.feed import facts, read
from conformance.site import MemoryOutbox, World

DEPTH = 3
ROOT = b"\x08" * 32


class NoForkFacet(Facet):
    """A ledger of which nothing is ever undone."""

    async def test_what_is_newest_is_final(self, world: World):
        assert world.site.fork is None
        ledger, registry = world.ledger, world.ledger.registry
        for name in ("one", "two"):
            model_id = await world.published(name)
            head = await ledger.head()
            assert await ledger.finalized() == head
            assert await registry.model(model_id, FINAL) == await registry.model(model_id, NEWEST)
            assert (await read(ledger, head.height - 1))[-1].height == head.height


class ForkingFacet(Facet):
    """A ledger whose newest blocks may be replaced by others."""

    async def deep(self, world: World) -> Ledger:
        """Give a connection to which the newest blocks are not final."""
        deep = world.site.deep(DEPTH)
        await world.site.advance(blocks=DEPTH + 1)
        return deep

    async def test_what_was_undone_is_never_told(self, world: World):
        assert world.site.fork is not None
        deep, bob = await self.deep(world), world.account(world.bob)
        start, final = (await deep.head()).height, (await deep.finalized()).height
        undone = await deep.submit(deep.receipts.anchor(ROOT, 3), world.bob)
        block = await deep.block(undone.height)
        assert await deep.receipts.anchored(bob, ROOT) == undone.time
        assert AnchoredReceipts in map(type, facts(await deep.recent(start)))
        followed = await read(deep, final - 1)
        await world.site.fork((await deep.head()).height - start)
        assert (await deep.block(undone.height)).hash != block.hash
        assert await deep.receipts.anchored(bob, ROOT) is None
        await world.site.advance(blocks=DEPTH)
        followed += await read(deep, followed[-1].height)
        assert followed[-1].height >= undone.height
        assert facts(followed) == facts(await deep.recent(final - 1)) == []
        assert await deep.receipts.anchored(bob, ROOT, FINAL) is None
        assert await world.site.sent(world.bob) == 0
        await deep.aclose()

    async def test_a_call_that_was_undone_is_included_again(self, world: World):
        assert world.site.fork is not None
        deep, outbox = await self.deep(world), MemoryOutbox()
        call, start = deep.receipts.anchor(ROOT, 3), (await deep.head()).height
        first = await deep.submit(call, world.bob, outbox=outbox, key="k")
        await world.site.fork((await deep.head()).height - start)
        assert await world.site.sent(world.bob) == 0
        again = await deep.submit(call, world.bob, outbox=outbox, key="k")
        assert (again.tx, again.effect) == (first.tx, 0)
        assert again.height > first.height
        await world.site.advance(blocks=DEPTH)
        told = facts(await read(deep, start))
        assert told == [AnchoredReceipts(world.account(world.bob), 0, ROOT, 3)]
        assert await world.site.sent(world.bob) == 1
        assert set(outbox.entries) == {"k"}
        await deep.aclose()

    async def test_what_is_final_never_goes_back(self, world: World):
        assert world.site.fork is not None
        deep, start = await self.deep(world), (await world.ledger.finalized()).height
        registry, alice, bob = deep.registry, world.alice, world.bob
        for blocks, owner, buyer in ((1, alice, bob), (DEPTH, bob, alice)):
            mine, others = world.account(owner), world.account(buyer)
            model_id = registry.model_id(mine, "m")
            await deep.submit(registry.publish("m", "1.0.0", ROOT), owner)
            await world.site.advance(blocks=DEPTH)
            await deep.submit(registry.transfer(model_id, mine, others), owner)
            await world.site.advance(blocks=blocks - 1)
            final, told = await deep.finalized(), await read(deep, start)
            assert (await registry.model(model_id, NEWEST)).owner == others
            assert (await registry.model(model_id, FINAL)).owner == mine
            await world.site.fork(blocks)
            assert (await deep.finalized()).height >= final.height
            assert await deep.block(final.height) == final
            assert (await registry.model(model_id, NEWEST)).owner == mine
            assert (await registry.model(model_id, FINAL)).owner == mine
            assert await read(deep, start, final.height) == told
        await deep.aclose()
