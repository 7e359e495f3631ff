"""Blocks count that peers of two organisations show alike."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import pytest
from lying_peer import LyingPeer, calls_invalid, follows_another, hides_an_entry
from trial_network import TRIAL, TrialNetwork

from caimi.errors.fabric import FabricAnswerInvalid, FabricForked, FabricPeersDisagree
from caimi.ledgers.fabric.protos.common.common_pb2 import Block
from caimi.ledgers.fabric.rpc.following import agreed_blocks
from caimi.ledgers.fabric.rpc.gateway import GatewayClient


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
