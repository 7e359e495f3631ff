"""A peer that answers badly, too much, too late or not at all, with the right certificate."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import pytest

from caimi.errors.fabric import FabricAccessDenied, FabricAnswerInvalid, FabricUnavailable
from caimi.errors.ledgers import LedgerUnavailable
from caimi.ledgers.fabric.local.layout import LocalLayout
from caimi.ledgers.fabric.local.network import lay_out
from caimi.ledgers.fabric.protos.common.common_pb2 import Block, BlockHeader, Status
from caimi.ledgers.fabric.protos.peer.events_pb2 import DeliverResponse
from caimi.ledgers.fabric.rpc import connection as connections
from caimi.ledgers.fabric.rpc.connection import CallPatience, PeerConnection, PeerEndpoint
from caimi.ledgers.fabric.rpc.deliver import BlockReader
from caimi.ledgers.fabric.rpc.following import agreed_blocks
from caimi.ledgers.fabric.rpc.gateway import GatewayClient
from caimi.ledgers.fabric.verification.chain import ChannelChain

QUICK = CallPatience(answer=0.5, reach=0.3)
Answer = Callable[[bytes, Any], Awaitable[bytes]]


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> LocalLayout:
    return lay_out(tmp_path_factory.mktemp("lying"), first_port=21_200)


@asynccontextmanager
async def answering(
    layout: LocalLayout, answer: Answer, patience: CallPatience = QUICK
) -> AsyncIterator[PeerConnection]:
    """Serve what a test says as a peer, and connect to it; a stream's answer is repeated."""
    own = layout.organisations[0]
    end, client = own.end("peer"), own.end("client")

    async def repeat(requests: Any, context: Any) -> None:
        for _ in range(3):
            await context.write(await answer(b"", context))

    server = grpc.aio.server()
    gateway = {
        name: grpc.unary_unary_rpc_method_handler(answer) for name in ("Evaluate", "CommitStatus")
    }
    deliver = {"Deliver": grpc.stream_stream_rpc_method_handler(repeat)}
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler("gateway.Gateway", gateway),
            grpc.method_handlers_generic_handler("protos.Deliver", deliver),
        )
    )
    credentials = grpc.ssl_server_credentials(
        [(end.key.read_bytes(), end.certificate.read_bytes())]
    )
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    endpoint = PeerEndpoint.load(f"127.0.0.1:{port}", own.tls_root, client.certificate, client.key)
    try:
        async with PeerConnection(endpoint, patience) as connection:
            yield connection
    finally:
        await server.stop(None)


def gateway(layout: LocalLayout, connection: PeerConnection) -> GatewayClient:
    return GatewayClient(connection, layout.organisations[0].user.signer(), "caimi")


def reader(layout: LocalLayout, connection: PeerConnection) -> BlockReader:
    return BlockReader(connection, layout.organisations[0].user.signer(), "caimi")


def always(answer: bytes) -> Answer:
    async def give(_request: bytes, _context: Any) -> bytes:
        return answer

    return give


async def test_an_answer_that_is_none_is_refused(layout: LocalLayout):
    async with answering(layout, always(b"\xff")) as connection:
        with pytest.raises(FabricAnswerInvalid):
            await gateway(layout, connection).evaluate("trial", b"get")
        with pytest.raises(FabricAnswerInvalid):
            await reader(layout, connection).newest()


async def test_an_answer_that_is_too_large_is_refused(
    layout: LocalLayout, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(connections, "MAX_MESSAGE_BYTES", 10_000)
    async with answering(layout, always(bytes(20_000))) as connection:
        with pytest.raises(FabricAnswerInvalid, match="larger than max"):
            await gateway(layout, connection).evaluate("trial", b"get")
        with pytest.raises(FabricAnswerInvalid, match="larger than max"):
            await reader(layout, connection).newest()


async def test_a_peer_that_hangs_is_named_in_time(layout: LocalLayout):
    async def hang(_request: bytes, _context: Any) -> bytes:
        await asyncio.sleep(60)
        return b""

    async with answering(layout, hang) as connection:
        with pytest.raises(FabricUnavailable, match="did not answer in time"):
            await gateway(layout, connection).evaluate("trial", b"get")


async def test_a_peer_that_is_busy_is_asked_again(layout: LocalLayout):
    asked = 0

    async def busy(_request: bytes, context: Any) -> bytes:
        nonlocal asked
        asked += 1
        if asked < 3:
            await context.abort(
                grpc.StatusCode.RESOURCE_EXHAUSTED, "exceeding concurrency limit (500)"
            )
        return b""

    async with answering(layout, busy) as connection:
        assert await gateway(layout, connection).evaluate("trial", b"get") == b""
    assert asked == 3


def block(number: int) -> bytes:
    answer = DeliverResponse(block=Block(header=BlockHeader(number=number)))
    return bytes(answer.SerializeToString())


def status(name: str) -> bytes:
    return bytes(DeliverResponse(status=Status.Value(name)).SerializeToString())


async def test_a_block_out_of_order_is_refused(layout: LocalLayout):
    async with answering(layout, always(block(7))) as connection:
        found = []
        with pytest.raises(FabricAnswerInvalid, match="block 7 in the place of 8"):
            found += [each async for each in reader(layout, connection).blocks(7)]


@pytest.mark.parametrize("first", [6, 8])
async def test_another_block_than_asked_for_is_refused(layout: LocalLayout, first: int):
    async with answering(layout, always(block(first))) as connection:
        with pytest.raises(FabricAnswerInvalid):
            _ = [each async for each in reader(layout, connection).blocks(7)]


async def test_something_else_than_a_block_is_refused(layout: LocalLayout):
    filtered = DeliverResponse()
    filtered.filtered_block.number = 7
    async with answering(layout, always(filtered.SerializeToString())) as connection:
        with pytest.raises(FabricAnswerInvalid, match="something else"):
            _ = [each async for each in reader(layout, connection).blocks(7)]


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("FORBIDDEN", FabricAccessDenied),
        ("SUCCESS", LedgerUnavailable),
        ("NOT_FOUND", LedgerUnavailable),
        ("SERVICE_UNAVAILABLE", LedgerUnavailable),
    ],
)
async def test_a_status_has_a_name(layout: LocalLayout, name: str, error: type[Exception]):
    async with answering(layout, always(status(name))) as connection:
        with pytest.raises(error):
            _ = [each async for each in reader(layout, connection).blocks(0)]


async def test_blocks_that_end_without_a_word_are_missed(layout: LocalLayout):
    numbers = iter(range(7, 10))

    async def three(_request: bytes, context: Any) -> bytes:
        found = next(numbers, None)
        if found is None:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "gone")
        return block(found or 0)

    heard = []

    async def hear(connection: PeerConnection) -> None:
        async for each in reader(layout, connection).blocks(7):
            heard.append(Block.FromString(each).header.number)

    async with answering(layout, three) as connection:
        with pytest.raises(LedgerUnavailable):
            await hear(connection)
    assert heard == [7, 8, 9]


async def test_a_stream_that_stood_still_for_long_is_begun_again_when_it_breaks(
    layout: LocalLayout,
):
    """No block for longer than the patience is no failure: the peer was there."""
    begun = 0

    async def later(_request: bytes, context: Any) -> bytes:
        nonlocal begun
        begun += 1
        if begun == 1:
            await asyncio.sleep(1.2)
            await context.abort(grpc.StatusCode.UNAVAILABLE, "gone")
        return block(7)

    async with answering(layout, later) as connection:
        async for each in reader(layout, connection).blocks(7):
            assert Block.FromString(each).header.number == 7
            break
    assert begun >= 2


@pytest.mark.parametrize("breaks", [False, True])
async def test_a_block_that_should_be_there_is_not_waited_for_for_ever(
    layout: LocalLayout,
    breaks: bool,
):
    """Another peer said that there are so many; this one shows no more, and stays connected."""
    numbers = iter((7, 8))

    async def stuck(_request: bytes, context: Any) -> bytes:
        if (number := next(numbers, None)) is not None:
            return block(number)
        await asyncio.sleep(0.1 if breaks else 60)
        await context.abort(grpc.StatusCode.UNAVAILABLE, "gone")
        raise AssertionError

    heard = []

    async def hear(connection: PeerConnection) -> None:
        async for each in reader(layout, connection).blocks(7, 9):
            heard.append(Block.FromString(each).header.number)

    patience = CallPatience(answer=0.5, reach=60)
    async with answering(layout, stuck, patience) as connection, asyncio.timeout(10):
        with pytest.raises(FabricUnavailable):
            await hear(connection)
    assert heard == [7, 8]


async def test_whoever_reads_slowly_has_time_for_each_block(layout: LocalLayout):
    answers = iter((block(7), block(8), status("SUCCESS")))

    async def steady(_request: bytes, _context: Any) -> bytes:
        await asyncio.sleep(0.2)
        return next(answers)

    heard = []
    async with answering(layout, steady) as connection:
        async for each in reader(layout, connection).blocks(7, 8):
            heard.append(each)
            await asyncio.sleep(0.6)
    assert len(heard) == 2


async def test_a_peer_that_fails_is_named_while_another_is_silent(layout: LocalLayout):
    class Silent:
        async def blocks(self, start: int, stop: int | None = None) -> AsyncIterator[bytes]:
            await asyncio.sleep(60)
            yield b""

    async with answering(layout, always(status("FORBIDDEN"))) as connection:
        chain = ChannelChain.of_first_block(layout.genesis.read_bytes())
        sources = [reader(layout, connection), Silent()]
        with pytest.raises(FabricAccessDenied):
            await anext(agreed_blocks(sources, chain, 1))
