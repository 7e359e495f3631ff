"""Logs in pages, and logs that are not what was asked for."""

from __future__ import annotations

import pytest
from rpc_server import result, serving

from caimi.errors.ledgers import EventInvalid, LedgerAnswerInvalid, LedgerUnavailable
from caimi.ledgers.evm.artifacts import artifact
from caimi.ledgers.evm.rpc.chain import Chain
from caimi.ledgers.evm.rpc.client import Rpc
from caimi.ledgers.evm.rpc.connect import http_chain
from caimi.ledgers.evm.rpc.finality import Depth
from caimi.ledgers.evm.rpc.logs import EventReader
from caimi.ledgers.evm.rpc.provider import RpcProvider
from caimi.ledgers.port import LedgerId

LOG = artifact("ReceiptLog").interface
TOPIC = LOG.events["ReceiptsAnchored"].topic
HERE = b"\x42" * 20
WORKER = b"\x07" * 20


def log(height: int, index: int = 0, **changes: object) -> dict[str, object]:
    return {
        "address": f"0x{HERE.hex()}",
        "topics": [f"0x{TOPIC.hex()}", f"0x{WORKER.rjust(32, bytes(1)).hex()}", f"0x{1:064x}"],
        "data": f"0x{'11' * 32}{height:064x}",
        "blockNumber": hex(height),
        "transactionHash": f"0x{'aa' * 32}",
        "logIndex": hex(index),
        **changes,
    }


class StingyProvider:
    """A node with one log a block that answers for at most `most` blocks."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.asked: list[tuple[int, int]] = []

    async def make_request(self, method, params):
        first, last = int(params[0]["fromBlock"], 16), int(params[0]["toBlock"], 16)
        self.asked.append((first, last))
        if last - first + 1 > self.most:
            return {"id": 1, "error": {"code": -32005, "message": "query exceeds limit"}}
        return {"id": 1, "result": [log(height) for height in range(first, last + 1)]}


def reader(provider: RpcProvider) -> EventReader:
    chain = Chain(Rpc(provider, "node"), LedgerId("eip155:7"), Depth(0))
    return EventReader(chain, {HERE: LOG})


@pytest.mark.parametrize("most", [1, 7, 100, 5000])
async def test_every_event_comes_once_and_in_order_whatever_the_node_allows(most: int):
    provider = StingyProvider(most)
    events = await reader(provider).events([HERE], [TOPIC], 5, 3004 if most > 1 else 40)
    last = 3004 if most > 1 else 40
    assert [event.height for event in events] == list(range(5, last + 1))
    assert events[0].name == "ReceiptsAnchored"
    assert events[0].values == {"worker": WORKER, "index": 1, "root": b"\x11" * 32, "count": 5}


async def test_a_node_that_refuses_a_single_block_is_unavailable():
    with pytest.raises(LedgerUnavailable, match="exceeds limit"):
        await reader(StingyProvider(0)).events([HERE], [TOPIC], 5, 20)


@pytest.mark.parametrize(
    "wrong",
    [
        [log(99)],
        [log(3)],
        [log(8), log(7)],
        [log(8), log(8)],
        [log(8, address="0x" + "43" * 20)],
        [log(8, topics=["0x" + "00" * 32])],
        [log(8, topics="0x")],
        [log(8, topics=["0x" + "00" * 32] * 5)],
        [log(8, removed=True)],
        [log(8, data="0x1")],
        [log(8, blockNumber=8)],
        [log(8, transactionHash="0xaa")],
        ["log"],
        "logs",
    ],
)
async def test_logs_that_nobody_asked_for_are_refused(wrong: object):
    async with serving(result(wrong)) as server:
        chain = http_chain("eip155:7", server.url, Depth(0))
        with pytest.raises(LedgerAnswerInvalid):
            await EventReader(chain, {HERE: LOG}).events([HERE], [TOPIC], 8, 8)


@pytest.mark.parametrize(
    "changes",
    [
        {"data": "0x"},
        {"data": "0x" + "11" * 63},
        {"data": "0x" + "ff" * 64},
        {"topics": [f"0x{TOPIC.hex()}"]},
        {"topics": [f"0x{TOPIC.hex()}", "0x" + "ff" * 32, f"0x{1:064x}"]},
    ],
)
async def test_a_log_that_is_no_such_event_is_refused(changes: dict):
    async with serving(result([log(8, **changes)])) as server:
        chain = http_chain("eip155:7", server.url, Depth(0))
        with pytest.raises(EventInvalid):
            await EventReader(chain, {HERE: LOG}).events([HERE], [TOPIC], 8, 8)
