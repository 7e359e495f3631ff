"""Whether a node's ledgers answer: told in bounded time, with the age of what is known."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from caimi.errors.base import CaimiError
from caimi.errors.node import LedgerTooSlow
from caimi.ledgers.port import Ledger, LedgerId

PATIENCE_SECONDS: Final = 2.0
"""How long an answer about health waits for a ledger."""
ASK_SECONDS: Final = 30.0
"""How long a ledger is asked before it is asked anew."""
FRESH_SECONDS: Final = 1.0
"""What was seen so recently is told without asking again, however often health is asked for."""


@dataclass
class _Seen:
    asking: asyncio.Task[None] | None = None
    final: int | None = None
    at: float | None = None
    error: CaimiError | None = None
    asked: float | None = None


class LedgerHealth:
    """What is known of each ledger. One question a ledger is under way at a time.

    `clock` is monotonic; `observe` is told height and time of each final block that is seen.
    """

    def __init__(
        self,
        ledgers: Mapping[LedgerId, Ledger],
        observe: Callable[[LedgerId, int, int], None],
        clock: Callable[[], float],
    ) -> None:
        self._ledgers = ledgers
        self._observe = observe
        self._clock = clock
        self._seen = {name: _Seen() for name in ledgers}

    async def look(self) -> dict[LedgerId, dict[str, object]]:
        """Tell of each ledger whether it answers now, and what was last seen, in bounded time."""
        now = self._clock()
        asking = [
            self._ask(name, seen)
            for name, seen in self._seen.items()
            if seen.asked is None or now - seen.asked >= FRESH_SECONDS or seen.asking is not None
        ]
        if asking:
            await asyncio.wait(asking, timeout=PATIENCE_SECONDS)
        return {name: self._told(seen) for name, seen in self._seen.items()}

    def _ask(self, name: LedgerId, seen: _Seen) -> asyncio.Task[None]:
        if seen.asking is None:
            seen.asking = asyncio.create_task(self._look_at(name, seen))
        return seen.asking

    async def _look_at(self, name: LedgerId, seen: _Seen) -> None:
        try:
            async with asyncio.timeout(ASK_SECONDS):
                await self._ledgers[name].check()
                final = await self._ledgers[name].finalized()
        except TimeoutError:
            seen.error = LedgerTooSlow(f"It did not answer within {ASK_SECONDS:g} seconds.")
        except CaimiError as error:
            seen.error = error
        else:
            seen.final, seen.at, seen.error = final.height, self._clock(), None
            self._observe(name, final.height, final.time)
        finally:
            seen.asking, seen.asked = None, self._clock()

    def _told(self, seen: _Seen) -> dict[str, object]:
        error = seen.error
        if seen.asking is not None and error is None:
            error = LedgerTooSlow(f"It did not answer within {PATIENCE_SECONDS:g} seconds.")
        said: dict[str, object] = {"ok": error is None and seen.at is not None}
        if seen.final is not None and seen.at is not None:
            said |= {"final": seen.final, "seen_seconds_ago": round(self._clock() - seen.at, 1)}
        if error is not None:
            said["error"] = error.as_dict()
        return said
