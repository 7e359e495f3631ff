"""The machine behind a node of the unlike ledger: calls reach it over a network that fails."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from caimi.errors.ledgers import LedgerUnavailable, TransactionStuck
from caimi.ledgers.machine.calls import SignedAct
from caimi.ledgers.machine.machine import IncludedAct

if TYPE_CHECKING:
    from faults.unlike_node import UnlikeNode

_LOOK_SECONDS = 3.0
_GIVE_UP_SECONDS = 240.0


class UnlikeMachine:
    """What a node's `Sending` sends to: a call is sent again until it is in a block."""

    def __init__(self, node: UnlikeNode) -> None:
        self._node = node

    def __getattr__(self, name: str) -> Any:
        return getattr(self._node.chain.memory, name)

    async def carry_out(self, signed: SignedAct) -> IncludedAct:
        """Hand a call over, and again while it is not there: whoever forks may lose it."""
        chain, began = self._node.chain, self._node.chain.now()
        while True:
            try:
                await self._node.travel()
                chain.accept(signed)
                self._node.come_back()
            except LedgerUnavailable:
                pass  # it may be there all the same
            included = chain.memory.find(signed.tx)
            if included is not None:
                return included
            lapsed = signed.envelope.until <= chain.head.height
            if lapsed or chain.now() - began > _GIVE_UP_SECONDS:
                raise TransactionStuck(f"{signed.tx} was not taken in time.")
            await asyncio.sleep(_LOOK_SECONDS)
