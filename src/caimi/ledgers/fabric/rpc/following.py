"""A channel's blocks as peers of several organisations show them, checked and compared."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing
from typing import Protocol

from caimi.ledgers.fabric.verification.chain import ChannelChain, check_agreement


class BlockSource(Protocol):
    """One peer's blocks; `BlockReader` is one."""

    def blocks(self, start: int, stop: int | None = None) -> AsyncIterator[bytes]:
        """Give blocks from a number on, serialized, with a `stop` up to that."""


async def agreed_blocks(
    sources: Sequence[BlockSource], chain: ChannelChain, stop: int | None = None
) -> AsyncIterator[tuple[ChannelChain, bytes]]:
    """Give each block with how far the channel is checked after it, once all sources show it.

    One that lags is waited for. Blocks have no time, so certificates of orderers may be over.

    Raises:
        FabricPeersDisagree: they judge a transaction differently.
        FabricForked: they show different blocks, or one does not follow the last.
        FabricUnavailable: one was not reached for as long as its patience is.
        FabricError: a block is not what orderers signed, as `ChannelChain.accept`.
    """
    start = chain.head.number + 1
    async with AsyncExitStack() as stack:
        streams = [
            await stack.enter_async_context(aclosing(each.blocks(start, stop)))  # type: ignore[type-var]
            for each in sources
        ]
        while stop is None or chain.head.number < stop:
            blocks = await _next_of_each(streams)
            first, *others = map(chain.accept, blocks)
            for other in others:
                check_agreement(first.head, other.head)
            chain = first
            yield chain, blocks[0]


async def _next_of_each(streams: Sequence[AsyncIterator[bytes]]) -> list[bytes]:
    """Give the next block of each; where one fails the others are waited for no longer."""
    asked = [asyncio.ensure_future(anext(stream)) for stream in streams]
    try:
        return await asyncio.gather(*asked)
    finally:
        for each in asked:
            each.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
