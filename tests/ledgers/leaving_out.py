"""A node that leaves out logs without a word: of its index, of its receipts, or of both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from caimi.ledgers.evm.rpc.provider import RpcAnswer, RpcProvider

Log = dict[str, Any]


class LeavingOut:
    """`drops` says which logs are left out; `receipts` and `index` where.

    With `one_by_one` the node does not know how to give all receipts of a block.
    """

    def __init__(
        self,
        inner: RpcProvider,
        drops: Callable[[Log], bool],
        *,
        index: bool = True,
        receipts: bool = False,
        one_by_one: bool = False,
    ) -> None:
        self.inner = inner
        self.drops = drops
        self.index = index
        self.receipts = receipts
        self.one_by_one = one_by_one
        self.dropped = 0

    def _kept(self, logs: list[Log]) -> list[Log]:
        kept = [log for log in logs if not self.drops(log)]
        self.dropped += len(logs) - len(kept)
        return kept

    def _altered(self, method: str, answer: RpcAnswer) -> RpcAnswer:
        found: Any = answer.get("result")
        if found is None:
            return answer
        if method == "eth_getLogs" and self.index:
            found = self._kept(found)
        elif method == "eth_getBlockReceipts" and self.receipts:
            found = [{**each, "logs": self._kept(each["logs"])} for each in found]
        elif method == "eth_getTransactionReceipt" and self.receipts:
            found = {**found, "logs": self._kept(found["logs"])}
        return {**answer, "result": found}

    async def make_request(self, method: str, params: Any) -> RpcAnswer:
        if method == "eth_getBlockReceipts" and self.one_by_one:
            error = {"code": -32601, "message": "the method does not exist"}
            return {"jsonrpc": "2.0", "id": 1, "error": error}  # type: ignore[typeddict-item]
        return self._altered(str(method), await self.inner.make_request(method, params))

    async def make_batch_request(
        self, requests: list[tuple[str, Any]]
    ) -> list[RpcAnswer] | RpcAnswer:
        return [await self.make_request(method, params) for method, params in requests]

    async def disconnect(self) -> None:
        await self.inner.disconnect()
