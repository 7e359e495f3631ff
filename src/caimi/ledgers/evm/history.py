"""Everything that happened to one model on one ledger, from several contracts' logs."""

from __future__ import annotations

import re
from typing import Final

from caimi.ledgers.evm.calls import Event
from caimi.ledgers.evm.chain import Chain
from caimi.ledgers.evm.logs import EventReader, Topics
from caimi.ledgers.port import HistoryEntry

_LINKS = ("licenceId", "purchaseId")
_HIDDEN: Final = frozenset({"modelId", "tokenId", "versionId", "aliasId", "clientHash"})
_NEXT_WORD: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")


class ModelHistory:
    """Finds a model's events in the logs of `addresses` since `deployed_at`."""

    def __init__(
        self, chain: Chain, events: EventReader, addresses: tuple[bytes, ...], deployed_at: int
    ) -> None:
        self._chain = chain
        self._events = events
        self._addresses = addresses
        self._deployed_at = deployed_at

    async def of(self, model_id: bytes) -> list[HistoryEntry]:
        """List what happened to the model, oldest first.

        A model's id may be any indexed parameter; events about its licences and purchases carry
        only theirs, and are found by what the first ones name.
        """
        head = await self._chain.head_height()
        found: dict[tuple[int, int], Event] = {}

        async def look(topics: Topics) -> None:
            for event in await self._events.events(
                self._addresses, topics, self._deployed_at, head
            ):
                found[event.height, event.index] = event

        for position in (1, 2, 3):
            await look([*[None] * position, model_id])
        links = {
            value
            for event in found.values()
            for name in _LINKS
            if isinstance(value := event.values.get(name), bytes)
        }
        if links:
            await look([None, sorted(links)])
        return [_entry(found[place]) for place in sorted(found)]


def _entry(event: Event) -> HistoryEntry:
    details = tuple(
        (_words(name), f"0x{value.hex()}" if isinstance(value, bytes) else str(value))
        for name, value in event.values.items()
        if name not in _HIDDEN
    )
    return HistoryEntry(_words(event.name), details, event.tx, event.height)


def _words(name: str) -> str:
    return _NEXT_WORD.sub(" ", name).lower()
