"""What headers commit to says whether a node's logs are all: block by block, on a scripted node."""

from __future__ import annotations

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
        return {"id": 1, "result": self.receipts[height]}

    async def make_batch_request(self, requests: Any) -> Any:
        return [await self.make_request(method, params) for method, params in requests]


async def check(node: Node, logs: list[RawLog], last: int = 3) -> None:
    chain = Chain(Rpc(node, "node"), LedgerId("eip155:7"), Depth(0))
    await Completeness(chain, HERE, [TOPIC]).check(1, last, logs)


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
