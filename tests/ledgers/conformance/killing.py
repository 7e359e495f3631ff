"""A process that dies at any stage of a submission, and the one that goes on after it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass

import pytest

from caimi.ledgers.port import Call, SignedCall
from conformance.facet import Facet
from conformance.site import Killed, MemoryOutbox, World

MOMENTS = (0.0, 0.002, 0.005, 0.01, 0.02, 0.04)
"""After how many seconds processes die."""


@dataclass
class DyingOutbox(MemoryOutbox):
    """One that the process dies at, before anything is written down."""

    async def record(self, key: str, call: SignedCall) -> None:
        raise Killed


class KillingFacet(Facet):
    """`Ledger.submit`, killed."""

    def publishing(self, world: World, name: str = "m") -> Call[None]:
        return world.ledger.registry.publish(name, "1.0.0", b"\x01" * 32)

    async def test_killed_before_it_is_written_down_nothing_is_sent(self, world: World):
        call, outbox = self.publishing(world), MemoryOutbox()
        with pytest.raises(Killed):
            await world.ledger.submit(call, world.alice, outbox=DyingOutbox(), key="k")
        assert await world.site.sent(world.alice) == 0
        again = world.site.open()
        done = await again.submit(call, world.alice, outbox=outbox, key="k")
        assert done.tx == outbox.entries["k"].tx
        assert await world.site.sent(world.alice) == 1
        await again.aclose()

    async def test_killed_again_while_it_is_finished_it_takes_effect_once(self, world: World):
        call, outbox = self.publishing(world), MemoryOutbox(die_after_record=True)
        failing = world.site.failing(Killed())
        for _ in range(2):
            with pytest.raises(Killed):
                await failing.submit(call, world.alice, outbox=outbox, key="k")
        await failing.aclose()
        done = await world.ledger.submit(call, world.alice, outbox=outbox, key="k")
        assert done.tx == outbox.entries["k"].tx
        assert set(outbox.entries) == {"k"}
        assert await world.site.sent(world.alice) == 1

    async def test_killed_at_whatever_moment_it_takes_effect_once(self, world: World):
        outbox = MemoryOutbox()
        for number, moment in enumerate(MOMENTS):
            name, dying = f"m{number}", world.site.open()
            call = self.publishing(world, name)
            with suppress(TimeoutError):
                async with asyncio.timeout(moment):
                    await dying.submit(call, world.alice, outbox=outbox, key=name)
            await dying.aclose()
            again = world.site.open()
            done = await again.submit(call, world.alice, outbox=outbox, key=name)
            assert done.tx == outbox.entries[name].tx
            await again.aclose()
        assert len(outbox.entries) == len(MOMENTS)
        assert await world.site.sent(world.alice) == len(MOMENTS)
