"""The production watcher as an actor of the world: it must notice forgeries and nothing else."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from caimi.messaging.watcher import Watcher
from faults.actors import Actor
from faults.process import Killed

if TYPE_CHECKING:
    from faults.world import World

PATIENCE_SECONDS = 15.0
POLL_SECONDS = 15.0


class WatcherActor(Actor):
    """A watcher with nodes of its own, which lag and fail but do not lie; it may be killed.

    It watches the ledgers that offer that: the unlike one does not.
    """

    def __init__(self, world: World) -> None:
        super().__init__(world, "watcher", list(world.genesis.evm))

    async def run(self) -> None:
        while True:
            self.next_life(self.rng.randint(50, 900) if self.world.crashes(self.rng) else None)
            views = self.open_all()
            watcher = Watcher(
                views,  # type: ignore[arg-type]
                dict.fromkeys(views, self.world.genesis.guardian),
                patience_seconds=PATIENCE_SECONDS,
                observe=self.world.law.vigilance.noticed,
                clock=asyncio.get_running_loop().time,
            )
            try:
                await watcher.run(POLL_SECONDS, lambda watched: None)
            except Killed:
                self.world.note(f"{self.name} dies")
                await asyncio.sleep(self.rng.uniform(1.0, 20.0))
