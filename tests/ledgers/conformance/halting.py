"""A ledger that stands still for a while: nobody waits for ever, and nothing is lost or doubled."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import pytest

from caimi.errors.ledgers import LedgerUnavailable, TransactionStuck
from caimi.ledgers.port import FINAL, AnchoredReceipts, Ledger
from conformance.facet import Facet
from conformance.feed import flat, read
from conformance.site import MemoryOutbox, World

R = TypeVar("R")

PATIENCE = 0.3
"""How long whoever asks waits, in seconds."""
SLACK = 5.0
"""What a busy machine may take on top."""
ROOT = b"\6" * 32


async def soon(asked: Awaitable[R]) -> R:
    """Give an answer, or raise what was raised, within the patience."""
    async with asyncio.timeout(PATIENCE + SLACK):
        return await asked


async def seen(ledger: Ledger, model_id: bytes, after: int) -> list[object]:
    """Read what is final in several ways; what is not answered is left out."""
    found: list[object] = []
    for asked in (
        ledger.finalized(),
        ledger.registry.find(model_id, FINAL),
        ledger.registry.versions(model_id, FINAL),
        read(ledger, after),
    ):
        try:
            found.append(await soon(asked))
        except LedgerUnavailable:
            found.append(None)
    return found


class HaltingFacet(Facet):
    """What a ledger does while it takes nothing in, and once it goes on."""

    async def test_what_is_final_is_read_as_it_was_or_is_unavailable(self, world: World):
        model_id, after = await world.published(), (await world.ledger.head()).height - 1
        hasty = world.site.open(PATIENCE)
        before = await seen(world.ledger, model_id, after)
        async with world.site.halted():
            for was, is_now in zip(before, await seen(hasty, model_id, after), strict=True):
                assert is_now in (was, None)
        await world.ledger.check()
        now = await seen(world.ledger, model_id, after)
        assert now[1:3] == before[1:3]
        await hasty.aclose()

    async def test_a_call_that_nobody_takes_is_named_in_time_and_takes_effect_once(
        self, world: World
    ):
        outbox, hasty, receipts = MemoryOutbox(), world.site.open(PATIENCE), world.ledger.receipts
        call, start = receipts.anchor(ROOT, 3), (await world.ledger.head()).height
        async with world.site.halted():
            for _ in range(2):
                with pytest.raises((TransactionStuck, LedgerUnavailable)):
                    await soon(hasty.submit(call, world.bob, outbox=outbox, key="k"))
        await hasty.aclose()
        done = await world.ledger.submit(call, world.bob, outbox=outbox, key="k")
        assert done.effect == 0
        assert set(outbox.entries) == {"k"}
        await self.is_told_once(world, start)

    async def test_a_call_that_was_signed_before_takes_effect_once(self, world: World):
        outbox, hasty = MemoryOutbox(), world.site.open(PATIENCE)
        call, start = world.ledger.receipts.anchor(ROOT, 3), (await world.ledger.head()).height
        await outbox.record("k", await hasty.sign(call, world.bob))
        async with world.site.halted():
            with pytest.raises((TransactionStuck, LedgerUnavailable)):
                await soon(hasty.submit(call, world.bob, outbox=outbox, key="k"))
            with pytest.raises((TransactionStuck, LedgerUnavailable)):
                await soon(hasty.broadcast(outbox.entries["k"]))
        await hasty.aclose()
        done = await world.ledger.submit(call, world.bob, outbox=outbox, key="k")
        assert done.tx == outbox.entries["k"].tx
        await self.is_told_once(world, start)

    async def is_told_once(self, world: World, start: int) -> None:
        """See that bob's one call is all that happened, and that the feed has it from any cut."""
        assert await world.site.sent(world.bob) == 1
        await world.ledger.submit(world.ledger.receipts.anchor(b"\7" * 32, 1), world.alice)
        whole = await read(world.ledger, start)
        told = [fact for _, _, fact in flat(whole) if isinstance(fact, AnchoredReceipts)]
        assert [fact.root for fact in told] == [ROOT, b"\7" * 32]
        for cut in range(start, whole[-1].height + 1):
            parts = [*await read(world.ledger, start, cut), *await read(world.ledger, cut)]
            assert flat(parts) == flat(whole)
