"""What headers commit to says whether a node's logs are all: block by block, on a scripted node."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from caimi.errors.base import CaimiError
from caimi.errors.ledgers import LedgerAnswerInvalid, LedgerBehind
from caimi.errors.messaging import EventsMissing
from caimi.ledgers.evm.proofs.completeness import Completeness
from caimi.ledgers.evm.proofs.receipts_root import TransactionReceipt, bloom, receipts_root
from caimi.ledgers.evm.rpc.chain import Chain
from caimi.ledgers.evm.rpc.client import Rpc
from caimi.ledgers.evm.rpc.finality import Depth
from caimi.ledgers.evm.rpc.logs import RawLog
from caimi.ledgers.port import LedgerId

HERE, ELSEWHERE = b"\x42" * 20, b"\x43" * 20
TOPIC, OTHER = b"\x01" * 32, b"\x02" * 32


def log(height: int, index: int = 0, address: bytes = HERE, topic: bytes = TOPIC) -> RawLog:
    # A topic of its own, as a packet's sequence is.
    own = (100 * height + index).to_bytes(32)
    return RawLog(address, (topic, own), b"", f"0x{height:064x}", height, index)


def told(one: RawLog) -> dict[str, Any]:
    return {
        "address": f"0x{one.address.hex()}",
        "topics": [f"0x{topic.hex()}" for topic in one.topics],
        "data": "0x",
        "transactionHash": one.tx,
        "blockNumber": hex(one.height),
        "logIndex": hex(one.index),
    }


@dataclass
class Node:
    """A node of three blocks, one transaction each; what is in `changes` replaces what is so."""

    logs: dict[int, list[RawLog]]
    kind: int = 2
    headers: dict[int, dict[str, Any]] = field(default_factory=dict)
    receipts: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    asked: list[int] = field(default_factory=list)
    held: asyncio.Event | None = None
    reached: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        for height in range(1, 4):
            logs = self.logs.get(height, [])
            receipt = TransactionReceipt(self.kind, 1, 21_000, tuple(logs))
            tx = f"0x{height:064x}"
            self.headers[height] = {
                "number": hex(height),
                "hash": f"0x{height:02x}{'bb' * 31}",
                "parentHash": f"0x{height - 1:02x}{'bb' * 31}",
                "logsBloom": f"0x{bloom(logs).hex()}",
                "receiptsRoot": f"0x{receipts_root([receipt]).hex()}",
                "transactions": [tx],
            }
            self.receipts[height] = [
                {
                    "transactionHash": tx,
                    "blockHash": self.headers[height]["hash"],
                    "type": hex(self.kind),
                    "status": "0x1",
                    "cumulativeGasUsed": hex(21_000),
                    "logs": [told(each) for each in logs],
                }
            ]

    async def make_request(self, method: str, params: Any) -> Any:
        height = int(params[0], 16)
        if method == "eth_getBlockByNumber":
            return {"id": 1, "result": self.headers.get(height)}
        self.asked.append(height)
        self.reached.set()
        if self.held:
            await self.held.wait()
        return {"id": 1, "result": self.receipts[height]}

    async def make_batch_request(self, requests: Any) -> Any:
        return [await self.make_request(method, params) for method, params in requests]


def looking_at(node: Node) -> Completeness:
    return Completeness(Chain(Rpc(node, "node"), LedgerId("eip155:7"), Depth(0)), HERE, [TOPIC])


async def check(node: Node, logs: list[RawLog], last: int = 3) -> None:
    await looking_at(node).check(1, last, logs)


async def test_blocks_whose_filter_says_there_is_nothing_cost_one_header() -> None:
    node = Node({1: [log(1, address=ELSEWHERE)], 2: [log(2)], 3: [log(3, topic=OTHER)]})
    await check(node, [log(2)])
    assert node.asked == [2]


@pytest.mark.parametrize("shown", [[], [log(2)], [log(2), log(2, 1), log(3)], [log(2, 1)]])
async def test_fewer_or_more_logs_than_the_receipts_have_are_found_out(shown: list[RawLog]) -> None:
    node = Node({2: [log(2), log(2, 1)]})
    with pytest.raises(EventsMissing, match="whose receipts have"):
        await check(node, shown)
    await check(node, [log(2), log(2, 1)])


async def test_logs_that_receipts_leave_out_as_well_are_found_out_by_the_root() -> None:
    # The filter does not tell one log from two that are alike.
    node = Node({2: [log(2), replace(log(2), index=1)]})
    node.receipts[2][0]["logs"].pop()
    with pytest.raises(EventsMissing, match="not those that its header commits to"):
        await check(node, [log(2)])


async def test_receipts_that_are_missing_are_no_receipts_without_logs() -> None:
    for wrong in ([], None, [{}, {}]):
        node = Node({2: [log(2)]})
        node.receipts[2] = wrong  # type: ignore[assignment]
        with pytest.raises(EventsMissing, match="not all receipts"):
            await check(node, [log(2)])


async def test_another_blocks_or_transactions_receipts_count_for_nothing() -> None:
    for name in ("blockHash", "transactionHash"):
        node = Node({2: [log(2)]})
        node.receipts[2][0][name] = f"0x{'dd' * 32}"
        with pytest.raises(EventsMissing, match="another receipt"):
            await check(node, [log(2)])


async def test_a_ledger_with_receipts_of_its_own_is_held_to_its_filters() -> None:
    node = Node({2: [log(2), log(2, 1)]}, kind=0x6A)
    node.headers[2]["receiptsRoot"] = f"0x{'ee' * 32}"
    await check(node, [log(2), log(2, 1)])
    node.receipts[2][0]["logs"].pop()
    with pytest.raises(EventsMissing, match="not those that its header commits to"):
        await check(node, [log(2)])


async def test_a_ledger_without_filters_has_all_receipts_read() -> None:
    node = Node({2: [log(2)]})
    for header in node.headers.values():
        header["logsBloom"] = f"0x{bytes(256).hex()}"
    await check(node, [log(2)])
    assert node.asked == [1, 2, 3]
    with pytest.raises(EventsMissing):
        await check(node, [])


async def test_blocks_of_two_branches_are_not_taken_for_one_ledger() -> None:
    node = Node({})
    node.headers[3]["parentHash"] = f"0x{'dd' * 32}"
    with pytest.raises(LedgerAnswerInvalid, match="does not follow"):
        await check(node, [])


async def test_a_node_without_the_last_block_is_behind() -> None:
    with pytest.raises(LedgerBehind):
        await check(Node({}), [], last=4)


async def test_a_receipt_of_a_type_that_cannot_be_is_refused() -> None:
    node = Node({2: [log(2)]})
    node.receipts[2][0]["type"] = "0x80"
    with pytest.raises(CaimiError, match="type 128"):
        await check(node, [log(2)])


async def waiting(node: Node, looked: Completeness, askers: int) -> list[asyncio.Task[None]]:
    """Let askers wait for the receipts of block 2, which the node holds back."""
    node.held = asyncio.Event()
    asking = [asyncio.create_task(looked.check(2, 2, [log(2)])) for _ in range(askers)]
    await node.reached.wait()
    return asking


async def test_a_blocks_receipts_are_read_once_for_all_who_ask() -> None:
    node = Node({2: [log(2)]})
    looked = looking_at(node)
    together = await waiting(node, looked, 5)
    assert node.held
    node.held.set()
    await asyncio.gather(*together)
    await looked.check(2, 2, [log(2)])
    assert node.asked == [2]
    with pytest.raises(EventsMissing, match="whose receipts have 1"):
        await looked.check(2, 2, [])


async def test_an_asker_that_goes_away_leaves_the_others_their_answer() -> None:
    node = Node({2: [log(2)]})
    gone, stays = await waiting(node, looking_at(node), 2)
    gone.cancel()
    await asyncio.wait([gone])
    assert node.held
    node.held.set()
    await stays
    assert gone.cancelled()


async def test_receipts_that_failed_or_that_no_root_proves_are_read_again() -> None:
    node = Node({2: [log(2)]})
    right, node.receipts[2] = node.receipts[2], []
    looked = looking_at(node)
    with pytest.raises(EventsMissing, match="not all receipts"):
        await looked.check(2, 2, [log(2)])
    node.receipts[2] = right
    await looked.check(2, 2, [log(2)])
    unlike = Node({2: [log(2)]}, kind=0x6A)
    unlike.headers[2]["receiptsRoot"] = f"0x{'ee' * 32}"
    looked = looking_at(unlike)
    await looked.check(2, 2, [log(2)])
    await looked.check(2, 2, [log(2)])
    assert (node.asked, unlike.asked) == ([2, 2], [2, 2])


async def test_another_branchs_block_of_the_same_height_is_looked_at_anew() -> None:
    node = Node({2: [log(2)]})
    looked = looking_at(node)
    await looked.check(2, 2, [log(2)])
    other = Node({2: [log(2), log(2, 1)]})
    node.headers, node.receipts = other.headers, other.receipts
    await looked.check(2, 2, [log(2), log(2, 1)])


async def test_a_logs_place_once_told_wrongly_is_not_believed_for_good() -> None:
    # A log's index is not in what the root proves.
    node = Node({2: [log(2)]})
    node.receipts[2][0]["logs"][0]["logIndex"] = "0x9"
    looked = looking_at(node)
    with pytest.raises(EventsMissing):
        await looked.check(2, 2, [log(2)])
    node.receipts[2][0]["logs"][0]["logIndex"] = "0x0"
    await looked.check(2, 2, [log(2)])


async def test_of_many_blocks_the_newest_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("caimi.ledgers.evm.proofs.completeness._REMEMBERED", 1)
    node = Node({height: [log(height)] for height in (1, 2)})
    looked = looking_at(node)
    for height in (1, 2, 2, 1):
        await looked.check(height, height, [log(height)])
    assert node.asked == [1, 2, 1]
