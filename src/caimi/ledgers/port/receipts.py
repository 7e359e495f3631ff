"""Merkle roots over workers' inference receipts."""

from __future__ import annotations

from typing import Protocol

from caimi.ledgers.port.accounts import Account
from caimi.ledgers.port.calls import Call
from caimi.ledgers.port.heights import NEWEST, At


class ReceiptLog(Protocol):
    """Merkle roots over workers' inference receipts."""

    def anchor(self, root: bytes, count: int) -> Call[int]:
        """Anchor a root over `count` receipts; its effect is which of the sender's roots it is."""
        ...

    async def anchored(self, worker: Account, root: bytes, at: At = NEWEST) -> int | None:
        """When `worker` anchored `root`, in seconds; None when never."""
        ...

    async def entry(self, account: Account, index: int, since: int, until: int) -> bytes | None:
        """Give the root that `account` anchored as its `index`-th, from 0, in these blocks.

        There is at most one for ever: the log counts each account's roots. None when the blocks
        from `since` to `until`, both included, show none.
        """
        ...
