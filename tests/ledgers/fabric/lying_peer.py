"""A peer that lies: it shows another's blocks, one of them changed or left out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from caimi.ledgers.fabric.protos.common.common_pb2 import TRANSACTIONS_FILTER, Block
from caimi.ledgers.fabric.rpc.following import BlockSource


class LyingPeer:
    """Shows another peer's blocks, one of them changed."""

    def __init__(self, true: BlockSource, number: int, lie: Callable[[Block], None]) -> None:
        self._true, self._number, self._lie = true, number, lie

    async def blocks(self, start: int, stop: int | None = None) -> AsyncIterator[bytes]:
        async for encoded in self._true.blocks(start, stop):
            block = Block.FromString(encoded)
            if block.header.number == self._number:
                self._lie(block)
            yield block.SerializeToString()


class ForgetfulPeer:
    """Leaves one block out."""

    def __init__(self, true: BlockSource, number: int) -> None:
        self._true, self._number = true, number

    async def blocks(self, start: int, stop: int | None = None) -> AsyncIterator[bytes]:
        async for encoded in self._true.blocks(start, stop):
            if Block.FromString(encoded).header.number != self._number:
                yield encoded


def calls_valid(block: Block) -> None:
    block.metadata.metadata[TRANSACTIONS_FILTER] = bytes(len(block.data.data))


def calls_invalid(block: Block) -> None:
    block.metadata.metadata[TRANSACTIONS_FILTER] = b"\x0b"


def hides_an_entry(block: Block) -> None:
    del block.data.data[0]


def follows_another(block: Block) -> None:
    block.header.previous_hash = bytes(32)
