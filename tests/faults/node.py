"""A simulated ledger's node, as JSON-RPC for the production adapter: it can fail, lag and lie."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from caimi.ibc.path import Path
from caimi.ibc.protobuf import decode_packet
from caimi.ledgers.evm.artifacts import artifact
from caimi.ledgers.evm.proofs.receipts_root import TransactionReceipt, bloom, receipts_root
from caimi.ledgers.evm.rpc.http import HttpInterrupted
from caimi.ledgers.evm.rpc.logs import parse_log
from caimi.ledgers.evm.rpc.provider import RpcAnswer
from faults.chain import Chain, Refused
from faults.machine import Message, hexed
from faults.process import Process
from faults.transaction import BLOCK_GAS, Log, Outcome, SimBlock

_GATEWAY = artifact("Gateway").interface
_PACKET_SENT = _GATEWAY.events["PacketSent"]
_REVERTED = 3
_EMPTY: dict[str, object] = {
    "logsBloom": hexed(bytes(256)),
    "receiptsRoot": hexed(receipts_root([])),
    "transactions": [],
}


@dataclass(slots=True)
class NodeFaults:
    """What is wrong with a node: chances per request, unless said otherwise.

    `lag` and `ahead` are blocks that it is behind, or that it invents on top, so that blocks pass
    for final that are not. `rewrite` is (account, account): where logs name the first, they name
    the second. `blind` hides every receipt.
    """

    interrupted: float = 0.0
    answer_lost: float = 0.0
    slow: float = 0.0
    omitted: float = 0.0
    lag: int = 0
    ahead: int = 0
    rewrite: tuple[bytes, bytes] | None = None
    blind: bool = False

    @property
    def lies(self) -> bool:
        """Whether it could make a validator sign what is not so."""
        return self.ahead > 0 or self.rewrite is not None or self.blind or self.omitted > 0


class Node:
    """One node. Whatever asks it is `process`, and dies at its steps."""

    def __init__(self, chain: Chain, process: Process, faults: NodeFaults, rng: Random) -> None:
        self.chain = chain
        self.process = process
        self.faults = faults
        self.rng = rng
        self._methods: dict[str, Callable[..., object]] = {
            "eth_chainId": lambda: hex(chain.number),
            "eth_blockNumber": lambda: hex(self._head() + self.faults.ahead),
            "eth_getBlockByNumber": self._block,
            "eth_getBalance": self._balance,
            "eth_getTransactionCount": self._nonce,
            "eth_getCode": lambda who, tag: hexed(chain.head_machine.code(_bytes(who))),
            "eth_call": self._call,
            "eth_estimateGas": lambda fields: hex(chain.estimate(_message(fields))),
            "eth_maxPriorityFeePerGas": lambda: hex(10**9),
            "eth_sendRawTransaction": lambda raw: hexed(chain.accept(_bytes(raw))),
            "eth_getTransactionReceipt": self._receipt,
            "eth_getTransactionByHash": self._transaction,
            "eth_getBlockReceipts": self._receipts,
            "eth_getLogs": self._logs,
        }

    async def make_request(self, method: str, params: Any) -> RpcAnswer:
        await self._travel()
        answer = self._answer(str(method), params)
        self._return()
        return answer

    async def make_batch_request(
        self, requests: list[tuple[str, Any]]
    ) -> list[RpcAnswer] | RpcAnswer:
        await self._travel()
        answers = [self._answer(str(method), params) for method, params in requests]
        self._return()
        return answers

    async def disconnect(self) -> None:
        pass

    async def _travel(self) -> None:
        self.process.step()
        faults = self.faults
        if faults.slow and self.rng.random() < faults.slow:
            await asyncio.sleep(self.rng.uniform(0.05, 8.0))
        else:
            await asyncio.sleep(0.01)
        if faults.interrupted and self.rng.random() < faults.interrupted:
            raise HttpInterrupted("connection reset")

    def _return(self) -> None:
        self.process.step()
        if self.faults.answer_lost and self.rng.random() < self.faults.answer_lost:
            raise HttpInterrupted("no answer in time")

    def _answer(self, method: str, params: list[Any]) -> RpcAnswer:
        self.chain.catch_up()
        run = self._methods[method]
        try:
            return {"jsonrpc": "2.0", "id": 1, "result": run(*params)}
        except Refused as refusal:
            if refusal.output is None:
                return _failure(-32000, str(refusal))
            return _failure(_REVERTED, str(refusal), hexed(refusal.output))

    def _head(self) -> int:
        return max(1, self.chain.head.height - self.faults.lag)

    def _height(self, tag: str) -> int:
        head = self._head()
        height = head if tag in ("latest", "pending") else int(tag, 16)
        if height > head + self.faults.ahead:
            raise Refused(f"header not found: {height}")
        return min(height, head)

    def _block(self, tag: str, full: bool) -> object:
        if tag == "latest" or int(tag, 16) > self._head():
            head = self.chain.blocks[self._head()]
            height = head.height + self.faults.ahead if tag == "latest" else int(tag, 16)
            if height > head.height + self.faults.ahead:
                return None
            return {**self._document(head), "number": hex(height)}
        return self._document(self.chain.blocks[int(tag, 16)])

    def _document(self, block: SimBlock) -> dict[str, object]:
        """Write a block; its header commits to what this node says that the receipts are."""
        outcomes = [self.chain.receipts[t.hash] for t in block.transactions]
        if not outcomes:
            return {**_block(block), **_EMPTY}
        key = (block.hash, self.faults.rewrite)
        commitments = self.chain.commitments.get(key)
        if commitments is None:
            commitments = _commitments(outcomes, self._told)
            self.chain.commitments[key] = commitments
        return {**_block(block), **commitments}

    def _told(self, log: Log) -> dict[str, object]:
        """Give a log as this node tells it: who lies does so in receipts and headers as well."""
        if self.faults.rewrite is None:
            return log.document
        true, false = self.faults.rewrite
        return {**log.document, "data": hexed(log.data.replace(true, false))}

    def _balance(self, who: str, tag: str) -> str:
        return hex(self.chain.machine_at(self._height(tag)).balance(_bytes(who)))

    def _nonce(self, who: str, tag: str) -> str:
        chain, account = self.chain, _bytes(who)
        sent = chain.sent[account]
        height = self._height(tag)
        count = sum(1 for each in sent if each <= height)
        if tag == "pending":
            while (account, count) in chain.pool:
                count += 1
        return hex(count)

    def _call(self, fields: dict[str, str], tag: str) -> str:
        message = _message(fields)
        output = self.chain.call(message, self._height(tag))
        if self.faults.blind and message.data[:4] == _GATEWAY["getCommitments"].selector:
            output = self._without_receipts(message.data, output)
        return hexed(output)

    def _without_receipts(self, asked: bytes, output: bytes) -> bytes:
        """Leave of commitments those of packets sent: the rest are acknowledgements."""
        packets = [
            decode_packet(_PACKET_SENT.decode(log.topics, log.data)["packet"])
            for log in self.chain.logs
            if log.topics[0] == _PACKET_SENT.topic
        ]
        sent = {Path.commitment(packet.source_client, packet.sequence).key for packet in packets}
        head = 4 + 64  # a selector, where the list starts, how long it is
        words = [
            output[at - 4 : at + 28] if asked[at : at + 32] in sent else bytes(32)
            for at in range(head, len(asked), 32)
        ]
        return output[: head - 4] + b"".join(words)

    def _receipt(self, tx: str) -> object:
        outcome = self.chain.receipts.get(_bytes(tx))
        if outcome is None or outcome.height > self._head():
            return None
        return _receipt(outcome, self.chain.blocks[outcome.height])

    def _receipts(self, tag: str) -> object:
        block = self.chain.blocks[self._height(tag)]
        outcomes = [self.chain.receipts[t.hash] for t in block.transactions]
        return [
            {**_receipt(each, block), "logs": [self._told(log) for log in each.logs]}
            for each in outcomes
        ]

    def _transaction(self, tx: str) -> object:
        outcome = self.chain.receipts.get(_bytes(tx))
        if outcome is None or outcome.height > self._head():
            return None
        sent = outcome.transaction
        return {"hash": tx, "to": hexed(sent.to), "input": hexed(sent.data)}

    def _logs(self, query: dict[str, Any]) -> object:
        first, last = self._height(query["fromBlock"]), self._height(query["toBlock"])
        addresses = {_bytes(address) for address in query["address"]}
        topics = [
            None if entry is None else {entry} if isinstance(entry, str) else set(entry)
            for entry in query.get("topics", [])
        ]
        found = []
        for log in self.chain.logs_between(first, last):
            if log.address not in addresses or not _matches(log, topics):
                continue
            if self.faults.omitted and self.rng.random() < self.faults.omitted:
                continue
            found.append(self._told(log))
        return found


def _matches(log: Log, topics: list[set[str] | None]) -> bool:
    if len(topics) > len(log.topics):
        return False
    return all(
        wanted is None or hexed(topic) in wanted
        for wanted, topic in zip(topics, log.topics, strict=False)
    )


def _failure(code: int, message: str, data: str | None = None) -> RpcAnswer:
    error: dict[str, Any] = {"code": code, "message": message}
    if data is not None:
        error["data"] = data
    return {"jsonrpc": "2.0", "id": 1, "error": error}  # type: ignore[typeddict-item]


def _message(fields: dict[str, str]) -> Message:
    sender = fields.get("from")
    return Message(
        to=_bytes(fields.get("to", "0x")),
        data=_bytes(fields["data"]),
        sender=_bytes(sender) if sender else bytes(19) + b"\x01",
        value=int(fields.get("value", "0x0"), 16),
    )


def _block(block: SimBlock) -> dict[str, object]:
    return {
        "number": hex(block.height),
        "hash": hexed(block.hash),
        "parentHash": hexed(block.parent),
        "timestamp": hex(block.time),
        "baseFeePerGas": hex(block.base_fee),
        "gasLimit": hex(BLOCK_GAS),
    }


def _receipt(outcome: Outcome, block: SimBlock) -> dict[str, object]:
    return {
        "transactionHash": hexed(outcome.transaction.hash),
        "blockNumber": hex(outcome.height),
        "blockHash": hexed(block.hash),
        "status": hex(int(outcome.succeeded)),
        "type": "0x2",
        "gasUsed": hex(outcome.gas_used),
        "cumulativeGasUsed": hex(outcome.gas_used),
        "effectiveGasPrice": hex(block.base_fee),
        "contractAddress": hexed(outcome.created) if outcome.created else None,
        "logs": [log.document for log in outcome.logs],
    }


def _commitments(
    outcomes: list[Outcome], told: Callable[[Log], dict[str, object]]
) -> dict[str, object]:
    """Give what a block's header has of its transactions."""
    receipts = [
        TransactionReceipt(
            2,
            int(outcome.succeeded),
            outcome.gas_used,
            tuple(parse_log(told(log)) for log in outcome.logs),
        )
        for outcome in outcomes
    ]
    return {
        "logsBloom": hexed(bloom(log for receipt in receipts for log in receipt.logs)),
        "receiptsRoot": hexed(receipts_root(receipts)),
        "transactions": [hexed(outcome.transaction.hash) for outcome in outcomes],
    }


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])
