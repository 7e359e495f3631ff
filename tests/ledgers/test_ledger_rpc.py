"""Nodes that fail, lie, or talk too much."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable

import pytest
from rpc_server import failure, result, serving

from caimi.errors.ledgers import (
    LedgerAnswerInvalid,
    LedgerRefused,
    LedgerSilent,
    LedgerUnavailable,
    TransactionReverted,
    WrongLedger,
)
from caimi.ledgers.evm.rpc import http
from caimi.ledgers.evm.rpc.chain import Chain
from caimi.ledgers.evm.rpc.client import RetryPolicy, RpcRefusal
from caimi.ledgers.evm.rpc.connect import http_chain
from caimi.ledgers.evm.rpc.finality import Depth

QUICK = RetryPolicy(attempts=3, first=0.01, longest=0.02)


def reach(url: str, timeout: float = 2.0) -> Chain:
    return http_chain("eip155:7", url, Depth(0), timeout=timeout, retries=QUICK)


async def test_a_node_that_recovers_within_the_retries_is_heard():
    async with serving(None, 503, result("0x7")) as server:
        await reach(server.url).verify()
        assert len(server.asked) == 3
        assert all(request["method"] == "eth_chainId" for request in server.asked)


@pytest.mark.parametrize("trouble", [None, 429, 500, 503])
async def test_a_node_that_stays_down_is_unavailable_after_the_retries(trouble):
    async with serving(trouble) as server:
        with pytest.raises(LedgerUnavailable, match="3 attempts"):
            await reach(server.url).verify()
        assert len(server.asked) == 3


async def test_a_node_that_does_not_answer_in_time_is_unavailable():
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    listener = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    async with listener:
        with pytest.raises(LedgerUnavailable, match="Timeout"):
            await reach(f"http://127.0.0.1:{port}", timeout=0.1).verify()


def hanging(part: bytes, every: float) -> Callable[..., Awaitable[None]]:
    """A node that takes a question and never ends its answer: it sends `part` again and again."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" if part else b"")
            while True:
                await asyncio.sleep(every)
                writer.write(part)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            writer.close()

    return handle


@pytest.mark.parametrize("part", [b"", b" "], ids=["silent", "dripping"])
@pytest.mark.parametrize("many", [False, True])
async def test_a_node_that_accepts_and_never_answers_is_named_in_time(part: bytes, many: bool):
    listener = await asyncio.start_server(hanging(part, 0.02), "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    retries = RetryPolicy(attempts=5, first=0.01, within=0.5)
    chain = http_chain("eip155:7", f"http://127.0.0.1:{port}", Depth(0), retries=retries)
    began = time.monotonic()
    asked = chain.rpc.gather([("eth_chainId", []), ("eth_blockNumber", [])][: 1 + many])
    with pytest.raises(LedgerSilent, match=f"127.0.0.1:{port} gave no answer .* 0.5 s") as told:
        await asked
    assert time.monotonic() - began < 3.0
    assert "rpc in caimi.toml" in told.value.next_step
    await chain.rpc.aclose()
    listener.close()


async def test_connections_that_hang_one_after_another_are_bounded_together():
    listener = await asyncio.start_server(hanging(b"", 9.0), "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    retries = RetryPolicy(attempts=100, first=0.01, longest=0.01, within=0.6)
    chain = http_chain(
        "eip155:7", f"http://127.0.0.1:{port}", Depth(0), timeout=0.1, retries=retries
    )
    with pytest.raises(LedgerSilent):
        await chain.verify()
    await chain.rpc.aclose()
    listener.close()


def test_nobody_waits_longer_for_a_question_than_half_a_minute():
    assert RetryPolicy().within <= 30.0


async def test_a_node_that_forbids_is_not_asked_again():
    async with serving(403) as server:
        with pytest.raises(LedgerRefused, match="403"):
            await reach(server.url).verify()
        assert len(server.asked) == 1


async def test_a_node_of_another_chain_is_found_out():
    async with serving(result("0x8")) as server:
        with pytest.raises(WrongLedger, match="serves eip155:8, not eip155:7"):
            await reach(server.url).verify()


@pytest.mark.parametrize(
    "answer",
    [b"", b"{", b"[]", b"null", b'{"id":1}', b'{"id":1,"result":"0x07"}', b'{"result":7}', b"[[[["],
)
async def test_an_answer_that_is_not_json_rpc_is_refused(answer: bytes):
    async with serving(lambda _: answer) as server:
        with pytest.raises(LedgerAnswerInvalid):
            await reach(server.url).verify()


async def test_an_answer_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(http, "MAX_ANSWER_BYTES", 10_000)
    async with serving(lambda _: b" " * 20_000) as server:
        with pytest.raises(LedgerAnswerInvalid, match="more than 10000 bytes"):
            await reach(server.url).verify()


async def test_an_error_keeps_its_code_message_and_output():
    async with serving(failure(3, "execution reverted", "0x1234")) as server:
        with pytest.raises(RpcRefusal) as refusal:
            await reach(server.url).rpc.ask("eth_call")
        assert (refusal.value.code, refusal.value.data) == (3, b"\x12\x34")
    wrapped = {"data": "0xab", "message": "m"}
    async with serving(failure(-32000, "x" * 10_000, wrapped)) as server:
        with pytest.raises(RpcRefusal) as refusal:
            await reach(server.url).rpc.ask("eth_call")
        assert refusal.value.data == b"\xab"
        assert len(refusal.value.message) == 400


async def test_a_batch_is_answered_in_the_order_of_its_requests():
    def shuffled(request: list) -> bytes:
        answers = [{"id": r["id"], "result": r["params"][0]} for r in request]
        return json.dumps(answers[::-1]).encode()

    async with serving(shuffled) as server:
        requests = [("echo", [n]) for n in range(150)]
        assert await reach(server.url).rpc.all(requests) == list(range(150))
        assert [len(batch) for batch in server.asked] == [100, 50]


async def test_a_batch_with_an_answer_missing_is_refused():
    def short(request: list) -> bytes:
        return json.dumps([{"id": r["id"], "result": 1} for r in request[1:]]).encode()

    async with serving(short) as server:
        with pytest.raises(LedgerAnswerInvalid, match="1 of 2"):
            await reach(server.url).rpc.all([("a", []), ("b", [])])


@pytest.mark.parametrize("wrong", [[], {}, None, True, 1.0, "1"])
async def test_a_batch_whose_answers_have_no_numbers_is_refused(wrong: object):
    def named(request: list) -> bytes:
        return json.dumps([{"id": wrong, "result": 1} for _ in request]).encode()

    async with serving(named) as server:
        with pytest.raises(LedgerAnswerInvalid, match="0 of 2"):
            await reach(server.url).rpc.all([("a", []), ("b", [])])


async def test_a_refusal_within_a_batch_stands_in_its_place():
    def mixed(request: list) -> bytes:
        good, bad = request
        error = {"code": 3, "message": "execution reverted", "data": "0x"}
        return json.dumps(
            [{"id": good["id"], "result": "0x1"}, {"id": bad["id"], "error": error}]
        ).encode()

    async with serving(mixed) as server:
        first, second = await reach(server.url).rpc.gather([("a", []), ("b", [])])
        assert first == "0x1"
        assert isinstance(second, RpcRefusal)


async def test_a_revert_without_data_is_still_a_revert():
    async with serving(failure(-32000, "execution reverted")) as server:
        with pytest.raises(TransactionReverted, match="no reason given"):
            await reach(server.url).block()
