"""Everything that happened to one model on one ledger, from several contracts' logs."""

from __future__ import annotations

from caimi.ledgers.evm.chain import Chain
from caimi.ledgers.evm.logs import EventReader, Topics
from caimi.ledgers.port import Event

_LINKS = ("licenceId", "purchaseId")


class ModelHistory:
    """Finds a model's events in the logs of `addresses` since `deployed_at`."""

    def __init__(
        self, chain: Chain, events: EventReader, addresses: tuple[bytes, ...], deployed_at: int
    ) -> None:
        self._chain = chain
        self._events = events
        self._addresses = addresses
        self._deployed_at = deployed_at

    async def of(self, model_id: bytes) -> list[Event]:
        """List the model's events, oldest first.

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
        return [found[place] for place in sorted(found)]
