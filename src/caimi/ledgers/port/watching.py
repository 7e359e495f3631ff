"""What a watcher needs of a ledger besides its gateway: what arrived and ended, and pauses."""

from __future__ import annotations

from typing import Protocol

from caimi.ledgers.port.calls import Call
from caimi.ledgers.port.gateway import Delivery, Ending
from caimi.ledgers.port.heights import NEWEST, At


class Watching(Protocol):
    """The watcher's side of one ledger's gateway."""

    async def delivered(self, from_height: int, to_height: int) -> list[Delivery]:
        """Packets received in blocks (from_height, to_height]."""
        ...

    async def ended(self, from_height: int, to_height: int) -> list[Ending]:
        """Packets that ended in blocks (from_height, to_height]."""
        ...

    async def arrivals(self, from_height: int, to_height: int) -> set[tuple[str, int]]:
        """Give the names of packets received, and of those that ended, in those blocks.

        Each by its client here; all of them, by what the blocks commit to.

        Raises:
            EventsMissing: the node left something out.
        """
        ...

    async def route_paused(self, client_id: str, at: At = NEWEST) -> bool: ...
    def pause_route(self, client_id: str) -> Call[None]: ...
    async def report_conflict(self, client_id: str, first: bytes, second: bytes) -> Call[None]:
        """Build what freezes the route's client: two statements that contradict each other."""
        ...
