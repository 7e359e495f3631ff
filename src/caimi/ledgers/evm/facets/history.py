"""Everything that happened to one model on one ledger, from several contracts' logs."""

from __future__ import annotations

from caimi.ledgers.evm.facets.fact_decoder import FactDecoder
from caimi.ledgers.evm.rpc.chain import Chain
from caimi.ledgers.evm.rpc.logs import EventReader, RawLog, Topics
from caimi.ledgers.fact_ids import link
from caimi.ledgers.port import MODEL_KINDS, HistoryEntry, ModelFact


class ModelHistory:
    """Finds a model's facts in the logs of its ledger's contracts since `deployed_at`."""

    def __init__(
        self, chain: Chain, events: EventReader, decoder: FactDecoder, deployed_at: int
    ) -> None:
        self._chain = chain
        self._events = events
        self._decoder = decoder
        self._deployed_at = deployed_at

    async def of(self, model_id: bytes) -> list[HistoryEntry]:
        """List what happened to the model, oldest first.

        A model's id may be any indexed parameter; events about its licences and purchases carry
        only theirs, and are found by what the first ones name.
        """
        head = await self._chain.head_height()
        addresses, kinds = self._decoder.query(MODEL_KINDS)
        found: dict[tuple[int, int], tuple[RawLog, ModelFact]] = {}

        async def look(topics: Topics) -> None:
            logs = await self._events.raw(addresses, topics, self._deployed_at, head)
            for log, fact in await self._decoder.decode(logs, MODEL_KINDS):
                if isinstance(fact, ModelFact):
                    found[log.height, log.index] = (log, fact)

        for position in range(3):
            await look([kinds, *[None] * position, model_id])
        links = {place for _, fact in found.values() if (place := link(fact)) is not None}
        if links:
            await look([kinds, sorted(links)])
        return [
            HistoryEntry(fact, log.tx, log.height)
            for _, (log, fact) in sorted(found.items(), key=lambda each: each[0])
        ]
