"""Moving a ledger's clock where nobody writes, since some wait for a packet's time to run out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from caimi.errors.fabric import FabricError
from caimi.errors.ledgers import LedgerError
from caimi.ledgers.fabric.channel import Conflict
from caimi.ledgers.fabric.machine import FabricMachine

BUSY_SECONDS: Final = 10
"""How far the clock gets behind while others write: each tick undoes what is endorsed meanwhile."""
IDLE_SECONDS: Final = 60
"""How far it gets behind while nobody does: each tick makes a block that stays."""
_LOOK_SECONDS: Final = 5.0


class TimeKeeper:
    """Moves the clock of the ledger that `machine` reads; `now` gives the time in seconds."""

    def __init__(self, machine: FabricMachine, now: Callable[[], float] = time.time) -> None:
        self._machine = machine
        self._now = now
        self._height = 0
        self._busy_until = 0.0

    async def run(self) -> None:
        """Look every few seconds, until cancelled; what fails is tried again."""
        while True:
            with suppress(Conflict, FabricError, LedgerError):
                await self.look()
            await asyncio.sleep(_LOOK_SECONDS)

    async def look(self) -> bool:
        """Move the clock if it is far behind; tells whether it did. One that never began stays.

        Raises:
            Conflict, FabricError, LedgerUnavailable: it could not.
        """
        machine = self._machine
        await machine.refresh()
        now, height = self._now(), machine.head.height
        if height > self._height:
            self._busy_until = now + IDLE_SECONDS
            self._height = height
        behind = now - machine.clock
        most = BUSY_SECONDS if now < self._busy_until else IDLE_SECONDS
        if machine.clock == 0 or behind < most:
            return False
        await machine.tick(int(now))
        await machine.refresh()
        self._height += 1  # our own block keeps nobody busy
        return True
