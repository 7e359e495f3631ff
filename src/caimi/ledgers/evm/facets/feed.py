"""The one reader of what a deployment's contracts tell: the feed of the port's `Ledger`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable

from caimi.ledgers.evm.facets.fact_decoder import FactDecoder
from caimi.ledgers.evm.rpc.chain import Chain, parse_block
from caimi.ledgers.evm.rpc.logs import EventReader, RawLog
from caimi.ledgers.port import BlockFacts, FactKind, ToldFact


class EvmFeed:
    """Reads ranges of blocks, one query of logs over all contracts for each."""

    def __init__(self, chain: Chain, events: EventReader, decoder: FactDecoder) -> None:
        self._chain = chain
        self._events = events
        self._decoder = decoder

    async def final(
        self, after: int, until: int | None, kinds: Collection[FactKind]
    ) -> AsyncIterator[BlockFacts]:
        """Tell of final blocks, as the port's `Ledger.feed` says.

        Raises:
            LedgerBehind: the node has not the block that the range ends with.
            EventInvalid: a log cannot be decoded.
        """
        final = (await self._chain.finalized()).height
        last = final if until is None else min(until, final)
        async for told in self._told(after, last, kinds):
            yield told

    async def recent(self, after: int, kinds: Collection[FactKind]) -> list[BlockFacts]:
        """Tell of all blocks after a height, as they are now; raises as `final`."""
        head = await self._chain.head_height()
        return [told async for told in self._told(after, head, kinds)]

    async def _told(
        self, after: int, last: int, kinds: Collection[FactKind]
    ) -> AsyncIterator[BlockFacts]:
        addresses, topics = self._decoder.query(kinds)
        async for end, logs in self._events.pages(addresses, [topics], max(after + 1, 0), last):
            # A node that has not got as far shows fewer logs without a word, but no such block.
            times = await self._times(end, logs)
            blocks: dict[int, list[ToldFact]] = {}
            for log, fact in await self._decoder.decode(logs, kinds):
                blocks.setdefault(log.height, []).append(ToldFact(log.tx, fact))
            for height in sorted({*blocks, end}):
                yield BlockFacts(height, times[height], tuple(blocks.get(height, ())))

    async def _times(self, end: int, logs: Iterable[RawLog]) -> dict[int, int]:
        """Give the times of the logs' blocks and of the block at `end`.

        Many nodes say them with the logs; headers are asked for where they do not.
        """
        times = {log.height: log.time for log in logs if log.time is not None}
        lacking = sorted({end, *(log.height for log in logs if log.time is None)})
        for block in map(parse_block, await self._chain.blocks(lacking)):
            times[block.height] = block.time
        return times
