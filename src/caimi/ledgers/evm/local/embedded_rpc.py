"""The JSON-RPC face of an embedded ledger, as Ethereum's execution API has it.

Work runs in a thread, one request at a time, so that the event loop stays free for everybody else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from eth.abc import BlockHeaderAPI, SignedTransactionAPI

from caimi.ledgers.evm.local.embedded import EmbeddedChain, Log, Message, Mined, Refused
from caimi.ledgers.evm.rpc.provider import Json, RpcAnswer

_MAX_LOGS = 10_000
_REVERTED = 3
_SERVER_ERROR = -32000
_INVALID_PARAMS = -32602
_NO_METHOD = -32601
_LIMIT_EXCEEDED = -32005


class EmbeddedProvider:
    """Answers about an `EmbeddedChain` (port `RpcProvider`), with ``evm_increaseTime``."""

    def __init__(self, chain: EmbeddedChain) -> None:
        self.chain = chain
        self._methods: dict[str, Callable[..., object]] = {
            "web3_clientVersion": lambda: "caimi-embedded",
            "eth_chainId": lambda: hex(chain.number),
            "eth_blockNumber": lambda: hex(chain.head.block_number),
            "eth_getBlockByNumber": self._block,
            "eth_getBalance": lambda who, tag: hex(chain.balance(_bytes(who), self._height(tag))),
            "eth_getTransactionCount": lambda who, tag: hex(
                chain.nonce(_bytes(who), self._height(tag))
            ),
            "eth_getCode": lambda who, tag: _hex(chain.code(_bytes(who), self._height(tag))),
            "eth_call": lambda fields, tag: _hex(chain.call(_message(fields), self._height(tag))),
            "eth_estimateGas": lambda fields: hex(chain.estimate(_message(fields))),
            "eth_maxPriorityFeePerGas": lambda: hex(10**9),
            "eth_sendRawTransaction": lambda raw: _hex(chain.send(_bytes(raw))),
            "eth_getTransactionByHash": self._transaction,
            "eth_getTransactionReceipt": self._receipt,
            "eth_getBlockReceipts": self._receipts,
            "eth_getLogs": self._logs,
            "evm_increaseTime": chain.advance,
            "evm_mine": chain.mine,
        }

    async def make_request(self, method: str, params: Json) -> RpcAnswer:
        """Answer one request."""
        return await asyncio.to_thread(self._answer, str(method), params)

    async def make_batch_request(
        self, requests: list[tuple[str, Json]]
    ) -> list[RpcAnswer] | RpcAnswer:
        """Answer requests in order."""

        def work() -> list[RpcAnswer]:
            return [self._answer(str(method), params) for method, params in requests]

        return await asyncio.to_thread(work)

    async def is_connected(self, show_traceback: bool = False) -> bool:
        """Confirm: the ledger lives as long as this object."""
        return True

    async def disconnect(self) -> None:
        """Do nothing: others may hold the same ledger."""

    def _answer(self, method: str, params: Json) -> RpcAnswer:
        run = self._methods.get(method)
        if run is None:
            return _failure(_NO_METHOD, f"the method {method} does not exist")
        with self.chain.lock:
            try:
                return {"jsonrpc": "2.0", "id": 1, "result": run(*params)}
            except Refused as refusal:
                if refusal.output is None:
                    return _failure(_SERVER_ERROR, refusal.message)
                return _failure(_REVERTED, refusal.message, _hex(refusal.output))
            except TooManyLogs as error:
                return _failure(_LIMIT_EXCEEDED, str(error))
            except (TypeError, ValueError, KeyError) as error:
                return _failure(_INVALID_PARAMS, f"invalid params: {error}")

    def _height(self, tag: str) -> int | None:
        if tag in ("latest", "pending", "finalized", "safe"):
            return None
        return 0 if tag == "earliest" else int(tag, 16)

    def _block(self, tag: str, full: bool) -> object:
        height = self._height(tag)
        header = self.chain.head if height is None else self.chain.header(height)
        return None if header is None else _block(header, self.chain.transactions(header))

    def _transaction(self, tx: str) -> object:
        mined = self.chain.mined(_bytes(tx))
        if mined is not None:
            return _transaction(mined.transaction, mined.header)
        queued = self.chain.queued(_bytes(tx))
        return None if queued is None else _transaction(queued, None)

    def _receipt(self, tx: str) -> object:
        mined = self.chain.mined(_bytes(tx))
        return None if mined is None else _receipt(mined)

    def _receipts(self, tag: str) -> object:
        height = self._height(tag)
        header = self.chain.head if height is None else self.chain.header(height)
        if header is None:
            return None
        return [self._receipt(_hex(tx)) for tx in self.chain.transactions(header)]

    def _logs(self, query: dict[str, Json]) -> object:
        first = self._height(query.get("fromBlock", "latest"))
        last = self._height(query.get("toBlock", "latest"))
        head = self.chain.head.block_number
        addresses = query.get("address", [])
        wanted = {_bytes(a) for a in ([addresses] if isinstance(addresses, str) else addresses)}
        topics = [
            None
            if entry is None
            else {_bytes(t) for t in ([entry] if isinstance(entry, str) else entry)}
            for entry in query.get("topics", [])
        ]
        found: list[object] = []
        for log in self.chain.logs(
            head if first is None else first, head if last is None else last
        ):
            if (not wanted or log.address in wanted) and _matches(log, topics):
                found.append(_log(log))
                if len(found) > _MAX_LOGS:
                    raise TooManyLogs(f"query returned more than {_MAX_LOGS} results")
        return found


class TooManyLogs(Exception):
    """A log query matches more logs than one answer may hold."""


def _matches(log: Log, topics: list[set[bytes] | None]) -> bool:
    if len(topics) > len(log.topics):
        return False
    return all(
        wanted is None or topic in wanted for wanted, topic in zip(topics, log.topics, strict=False)
    )


def _failure(code: int, message: str, data: str | None = None) -> RpcAnswer:
    error: dict[str, Json] = {"code": code, "message": message}
    if data is not None:
        error["data"] = data
    return {"jsonrpc": "2.0", "id": 1, "error": error}


def _message(fields: dict[str, str]) -> Message:
    gas = fields.get("gas")
    return Message(
        sender=_bytes(fields.get("from", "0x" + "00" * 19 + "01")),
        to=_bytes(fields.get("to", "0x")),
        data=_bytes(fields.get("data", "0x")),
        value=int(fields.get("value", "0x0"), 16),
        gas=None if gas is None else int(gas, 16),
    )


def _block(header: BlockHeaderAPI, transactions: Sequence[bytes]) -> dict[str, object]:
    return {
        "number": hex(header.block_number),
        "hash": _hex(header.hash),
        "parentHash": _hex(header.parent_hash),
        "timestamp": hex(header.timestamp),
        "baseFeePerGas": hex(header.base_fee_per_gas or 0),
        "gasLimit": hex(header.gas_limit),
        "gasUsed": hex(header.gas_used),
        "logsBloom": _hex(header.bloom.to_bytes(256, "big")),
        "receiptsRoot": _hex(header.receipt_root),
        "transactions": [_hex(tx) for tx in transactions],
    }


def _transaction(
    transaction: SignedTransactionAPI, header: BlockHeaderAPI | None
) -> dict[str, object]:
    return {
        "hash": _hex(transaction.hash),
        "nonce": hex(int(transaction.nonce)),
        "from": _hex(transaction.sender),
        "to": _hex(transaction.to) if transaction.to else None,
        "input": _hex(transaction.data),
        "blockNumber": None if header is None else hex(header.block_number),
        "blockHash": None if header is None else _hex(header.hash),
    }


def _receipt(mined: Mined) -> dict[str, object]:
    return {
        "transactionHash": _hex(mined.transaction.hash),
        "blockNumber": hex(mined.header.block_number),
        "blockHash": _hex(mined.header.hash),
        "status": hex(int(mined.succeeded)),
        "type": hex(mined.kind),
        "gasUsed": hex(mined.gas_used),
        "cumulativeGasUsed": hex(mined.header.gas_used),
        "effectiveGasPrice": hex(mined.gas_price),
        "contractAddress": None if mined.created is None else _hex(mined.created),
        "logs": [_log(log) for log in mined.logs],
    }


def _log(log: Log) -> dict[str, object]:
    return {
        "address": _hex(log.address),
        "topics": [_hex(topic) for topic in log.topics],
        "data": _hex(log.data),
        "blockNumber": hex(log.height),
        "blockHash": _hex(log.block_hash),
        "transactionHash": _hex(log.tx),
        "transactionIndex": hex(log.tx_index),
        "logIndex": hex(log.index),
        "removed": False,
    }


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def _bytes(text: object) -> bytes:
    if not isinstance(text, str) or not text.startswith("0x"):
        raise ValueError(f"not 0x hex: {text!r:.40}")
    return bytes.fromhex(text[2:])
