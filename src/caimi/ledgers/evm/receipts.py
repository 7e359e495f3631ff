"""Anchored inference receipts: the port's `ReceiptLog`."""

from __future__ import annotations

from caimi.ledgers.evm.contract import Contract, account
from caimi.ledgers.port import Call


class EvmReceiptLog:
    """The receipt log of one EVM ledger."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract

    def anchor(self, root: bytes, count: int) -> Call:
        """Anchor the root of `count` of the sender's receipts."""
        return self._contract.call(f"Anchoring {count} receipts", "anchor", root, count)

    async def anchored(self, worker: bytes, root: bytes, at: int | None = None) -> int | None:
        """Give when the worker anchored the root, in seconds; None when never."""
        (time,) = await self._contract.read("anchored", account(worker), root, at=at)
        return int(time) or None
