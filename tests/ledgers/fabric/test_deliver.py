"""Blocks from a real peer: in order, each once, over breaks, and for members alone."""

import asyncio
from uuid import uuid4

import pytest
from test_gateway import expired, stranger  # noqa: F401 - a fixture
from trial_network import TRIAL, TrialNetwork

from caimi.errors.fabric import FabricAccessDenied, FabricRefused
from caimi.ledgers.fabric.protos.common.common_pb2 import Block
from caimi.ledgers.fabric.rpc.gateway import GatewayClient
from caimi.ledgers.fabric.verification.chain import check_agreement


def number_of(block: bytes) -> int:
    return Block.FromString(block).header.number


async def test_blocks_come_in_order_and_end_where_they_should(
    fabric: TrialNetwork, gateway: GatewayClient
):
    done = await gateway.invoke(TRIAL, b"put", uuid4().hex.encode(), b"value")
    reader = fabric.reader(gateway.connection)
    found = [number_of(block) async for block in reader.blocks(0, done.block)]
    assert found == list(range(done.block + 1))
    assert number_of(await reader.newest()) >= done.block


async def test_every_block_of_a_real_channel_is_checked(
    fabric: TrialNetwork, gateway: GatewayClient
):
    done = await gateway.invoke(TRIAL, b"put", uuid4().hex.encode(), b"value")
    chain = fabric.chain()
    async for block in fabric.reader(gateway.connection).blocks(1, done.block):
        chain = chain.accept(block)
    assert chain.head.number == done.block
    (mine,) = (each for each in chain.head.entries if each.signed.transaction == done.id)
    assert mine.valid


async def test_peers_of_two_organisations_show_the_same(
    fabric: TrialNetwork, gateway: GatewayClient
):
    done = await gateway.invoke(TRIAL, b"put", uuid4().hex.encode(), b"value")
    first, second = fabric.chain(), fabric.chain()
    async for block in fabric.reader(gateway.connection).blocks(1, done.block):
        first = first.accept(block)
    async with fabric.connection(fabric.second) as connection:
        reader = fabric.reader(connection, fabric.second.user.signer())
        async for block in reader.blocks(1, done.block):
            second = second.accept(block)
    check_agreement(first.head, second.head)


async def test_filtered_blocks_say_what_became_of_transactions(
    fabric: TrialNetwork, gateway: GatewayClient
):
    done = await gateway.invoke(TRIAL, b"put", uuid4().hex.encode(), b"value")
    reader = fabric.reader(gateway.connection)
    (block,) = [each async for each in reader.filtered(done.block, done.block)]
    assert [each.tx_validation_code for each in block.filtered_transactions] == [0]
    assert [each.txid for each in block.filtered_transactions] == [done.id]


async def test_who_follows_hears_of_new_blocks_over_the_peers_end(
    fabric: TrialNetwork, gateway: GatewayClient
):
    done = await gateway.invoke(TRIAL, b"put", uuid4().hex.encode(), b"first")
    heard: list[int] = []

    async def follow() -> None:
        async for block in fabric.reader(gateway.connection).blocks(done.block, done.block + 1):
            heard.append(number_of(block))

    following = asyncio.create_task(follow())
    async with asyncio.timeout(30):
        while not heard:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        await asyncio.to_thread(fabric.kill, fabric.first.msp)
        await asyncio.sleep(0.2)
        await asyncio.to_thread(fabric.start, fabric.first.msp)
        async with fabric.connection(fabric.second) as connection:
            other = fabric.gateway(connection, fabric.second.user.signer())
            while True:
                try:
                    await other.invoke(TRIAL, b"put", uuid4().hex.encode(), b"second")
                    break
                except Exception:
                    await asyncio.sleep(0.2)
        await following
    assert heard == [done.block, done.block + 1]


async def test_strangers_read_no_blocks(fabric: TrialNetwork):
    async with fabric.connection() as connection:
        reader = fabric.reader(connection, stranger(fabric, "Org1MSP"))
        with pytest.raises(FabricAccessDenied):
            await reader.newest()


async def test_who_has_another_tls_certificate_than_asked_with_reads_no_blocks(
    fabric: TrialNetwork,
):
    """The request is bound to the certificate: whoever copies one cannot send it."""
    async with fabric.connection() as connection:
        reader = fabric.reader(connection)
        other = fabric.network.endpoint(fabric.second)
        object.__setattr__(connection.endpoint, "certificate", other.certificate)
        with pytest.raises(FabricRefused):
            await reader.newest()
