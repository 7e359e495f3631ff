"""Telling whoever waits for a packet what it waits for: finality, signatures, delivery, its answer.

Only told of: nothing is decided by it, and what a node does not show just now is not told.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Final

from caimi.client.context import Context, Progress
from caimi.client.signing_members import signatures
from caimi.errors.base import CaimiError
from caimi.ledgers.port import Ledger, Route, SentPacket

_LOOK_SECONDS: Final = 0.5
_ASK_SECONDS: Final = 3.0
"""Between questions to validators, who sign anew for each."""


class Awaited:
    """A packet that was sent from `source` by `route`, with some sequence."""

    def __init__(
        self, context: Context, source: Ledger, route: tuple[str, int], progress: Progress
    ) -> None:
        self._context = context
        self._source = source
        self._client, self._sequence = route
        self._progress = progress
        self._sent: SentPacket | None = None
        self._way: Route | None = None
        self._next = self._ask = 0.0
        self._told = self._final = self._signed = self._delivered = False

    async def look(self) -> None:
        """See how far the packet is, and tell; often called, it looks twice a second."""
        if time.monotonic() < self._next:
            return
        with suppress(CaimiError):  # somebody is not there just now: that ends no waiting
            await self._look()
        self._next = time.monotonic() + _LOOK_SECONDS

    async def _look(self) -> None:
        sent, way = await self._packet()
        if sent is None or way is None:
            return
        if not self._told:
            self._told, packet = True, f"{self._client}/{self._sequence}"
            self._tell(f"packet sent: `caimi packet show {packet} -l {self._source.id}`", 0, 0)
        destination = self._context.ledgers.get(way.counterparty)
        if destination is None:
            return
        if not self._final:
            final = (await self._source.finalized()).height
            self._final = final >= sent.height
            self._tell(f"finality on {self._source.id}", min(final, sent.height), sent.height)
            if not self._final:
                return
        name = (sent.packet.dest_client, sent.packet.sequence)
        if not self._delivered and not (await destination.gateway.receipts([name]))[0]:
            if (await destination.finalized()).time >= sent.packet.timeout:
                self._tell(f"proof on {self._source.id} that it is late", 0, 1)
                return
            await self._signatures(sent, (destination, sent.packet.dest_client))
            if self._signed:
                self._tell(f"delivery to {destination.id}", 0, 1)
            return
        self._delivered = True
        self._tell(f"delivery to {destination.id}", 1, 1)
        self._tell(f"acknowledgement on {self._source.id}", 0, 1)

    async def _packet(self) -> tuple[SentPacket | None, Route | None]:
        if self._way is None:
            routes = await self._source.gateway.routes()
            self._way = next((each for each in routes if each.client_id == self._client), None)
        if self._sent is None:
            self._sent = await self._source.gateway.find_sent(self._client, self._sequence)
        return self._sent, self._way

    async def _signatures(self, sent: SentPacket, believing: tuple[Ledger, str]) -> None:
        if self._signed or time.monotonic() < self._ask:
            return
        found = await signatures(self._context, self._source.id, sent.height, believing)
        self._ask = time.monotonic() + _ASK_SECONDS
        if found is None:
            self._signed = True  # it is believed for something else, which nobody here can ask
            return
        self._signed = found.enough
        self._tell(
            f"signatures over {self._source.id}", min(found.given, found.needed), found.needed
        )

    def _tell(self, stage: str, done: int, total: int) -> None:
        self._progress(stage, done, total)
