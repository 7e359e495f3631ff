"""Blocks count that peers of two organisations show alike."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from uuid import uuid4

import pytest
from trial_network import TRIAL, TrialNetwork

from caimi.errors.fabric import FabricAnswerInvalid, FabricForked, FabricPeersDisagree
from caimi.ledgers.fabric.protos.common.common_pb2 import TRANSACTIONS_FILTER, Block
from caimi.ledgers.fabric.rpc.following import BlockSource, agreed_blocks
from caimi.ledgers.fabric.rpc.gateway import GatewayClient


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


def calls_invalid(block: Block) -> None:
    block.metadata.metadata[TRANSACTIONS_FILTER] = b"\x0b"


def hides_an_entry(block: Block) -> None:
    del block.data.data[0]


def follows_another(block: Block) -> None:
    block.header.previous_hash = bytes(32)


async def test_two_organisations_peers_show_one_channel(
    fabric: TrialNetwork, gateway: GatewayClient
):
    done = await gateway.invoke(TRIAL, b"put", uuid4().hex.encode(), b"value")
    async with fabric.connection(fabric.second) as connection:
        sources = [
            fabric.reader(gateway.connection),
            fabric.reader(connection, fabric.second.user.signer()),
        ]
        agreed = agreed_blocks(sources, fabric.chain(), done.block)
        found = [chain.head async for chain, _ in agreed]
    assert [head.number for head in found] == list(range(1, done.block + 1))
    assert [each.valid for each in found[-1].entries] == [True]


@pytest.mark.parametrize(
    ("lie", "error"),
    [
        (calls_invalid, FabricPeersDisagree),
        (hides_an_entry, FabricAnswerInvalid),
        (follows_another, FabricForked),
    ],
)
async def test_a_peer_that_lies_stops_who_follows(
    fabric: TrialNetwork,
    gateway: GatewayClient,
    lie: Callable[[Block], None],
    error: type[Exception],
):
    done = await gateway.invoke(TRIAL, b"put", uuid4().hex.encode(), b"value")
    true = fabric.reader(gateway.connection)
    heads: list[int] = []

    async def follow() -> None:
        sources = [true, LyingPeer(true, done.block, lie)]
        async for chain, _ in agreed_blocks(sources, fabric.chain()):
            heads.append(chain.head.number)

    with pytest.raises(error):
        await follow()
    assert heads == list(range(1, done.block))
