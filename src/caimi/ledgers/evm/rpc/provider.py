"""What answers JSON-RPC: a node behind HTTP, or a ledger in this process."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias

Json: TypeAlias = Any
"""What JSON can say."""

RpcAnswer: TypeAlias = dict[str, Json]
"""A JSON-RPC response: ``result``, or ``error`` (JSON-RPC 2.0, section 5)."""


class RpcProvider(Protocol):
    """Something that takes JSON-RPC requests, in the event loop that it was first used in."""

    async def make_request(self, method: str, params: Json) -> RpcAnswer:
        """Give the answer to one request."""
        ...

    async def make_batch_request(
        self, requests: list[tuple[str, Json]]
    ) -> list[RpcAnswer] | RpcAnswer:
        """Give the answers to several, in their order, or one answer that refuses them all."""
        ...

    async def disconnect(self) -> None:
        """Close what it holds open."""
        ...
