"""Several nodes of one ledger behind one address: each call reaches one, and they are not even."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from caimi.ledgers.evm.rpc.provider import RpcAnswer, RpcProvider

_TAGGED = {"eth_call": 1, "eth_getBalance": 1, "eth_getTransactionCount": 1, "eth_getCode": 1}


class LoadBalanced:
    """The nodes behind an address: `lag` says for each request how many blocks its node is behind.

    As real nodes do, one that is behind refuses a state that it has not, knows no later block or
    receipt, and gives the logs of a range as far as it has them, without a word.
    """

    def __init__(self, inner: RpcProvider, lag: Callable[[], int]) -> None:
        self.inner = inner
        self.lag = lag

    async def make_request(self, method: str, params: Any) -> RpcAnswer:
        answer = await self.inner.make_request("eth_blockNumber", [])
        truth = int(answer["result"], 16)
        head = max(0, truth - self.lag())
        if method == "eth_blockNumber":
            return {"jsonrpc": "2.0", "id": 1, "result": hex(head)}
        place = 0 if method == "eth_getBlockByNumber" else _TAGGED.get(method)
        if place is not None:
            params = list(params)
            if params[place] in ("latest", "pending", "finalized"):
                params[place] = hex(head) if head < truth else params[place]
            elif int(params[place], 16) > head:
                return self._unknown(method)
        if method == "eth_getLogs":
            (query,) = params
            if int(query["fromBlock"], 16) > head:
                return {"jsonrpc": "2.0", "id": 1, "result": []}
            params = [{**query, "toBlock": hex(min(head, int(query["toBlock"], 16)))}]
        found = await self.inner.make_request(method, params)
        if method in ("eth_getTransactionReceipt", "eth_getTransactionByHash"):
            at = (found.get("result") or {}).get("blockNumber")
            if at is not None and int(at, 16) > head:
                return {"jsonrpc": "2.0", "id": 1, "result": None}
        return found

    async def make_batch_request(
        self, requests: list[tuple[str, Any]]
    ) -> list[RpcAnswer] | RpcAnswer:
        # A balancer may send every part of a batch to another node.
        return [await self.make_request(method, params) for method, params in requests]

    async def disconnect(self) -> None:
        await self.inner.disconnect()

    @staticmethod
    def _unknown(method: str) -> RpcAnswer:
        if method == "eth_getBlockByNumber":
            return {"jsonrpc": "2.0", "id": 1, "result": None}
        error = {"code": -32000, "message": "header not found"}
        return {"jsonrpc": "2.0", "id": 1, "error": error}  # type: ignore[typeddict-item]
