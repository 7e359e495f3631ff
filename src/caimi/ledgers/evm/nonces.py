"""Which nonce is next, for many senders of one account in one process.

The lock of an account is held from choosing a nonce until the node has taken the transaction, so
nonces are handed to the node in order and a refused one leaves no gap. What is included is kept for
a while: a reorganisation can undo it without the node putting it back, and what comes after would
wait for it for ever.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Final

from caimi.ledgers.evm.chain import Chain
from caimi.ledgers.evm.inclusion import nonce_at
from caimi.ledgers.evm.outgoing import Attempt
from caimi.ledgers.evm.quantities import hexed, quantity

KEPT: Final = 256
"""How many included transactions of an account are remembered, as long as they may be undone."""
FEW: Final = 16
"""With more than these, those that are final are forgotten: a relayer's are 100 kB each."""


class Nonces:
    """The accounts' next nonces on one ledger, and what is on its way."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._locks: defaultdict[bytes, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._sent: defaultdict[bytes, dict[int, Attempt]] = defaultdict(dict)

    def lock(self, account: bytes) -> asyncio.Lock:
        """Give the account's lock."""
        return self._locks[account]

    async def next(self, account: bytes) -> int:
        """Give the next unused nonce: the node's, or past what we sent and it has not seen yet."""
        latest, pending = (
            quantity(count)
            for count in await self._chain.rpc.all(
                [
                    ("eth_getTransactionCount", [hexed(account), "latest"]),
                    ("eth_getTransactionCount", [hexed(account), "pending"]),
                ]
            )
        )
        sent = self._sent[account]
        done = latest - KEPT
        if len(sent) > FEW:
            final = await self._chain.finalized()
            done = max(done, await nonce_at(self._chain, account, final.height))
        for nonce in [nonce for nonce in sent if nonce < done]:
            del sent[nonce]
        return max([pending, *(nonce + 1 for nonce in sent)])

    def taken(self, account: bytes, attempt: Attempt) -> None:
        """Note what the node has taken."""
        self._sent[account][attempt.nonce] = attempt

    def earlier(self, account: bytes, first: int, nonce: int) -> list[Attempt]:
        """Give what was sent from nonce `first` on and below `nonce`.

        If the node lost one, all behind it wait.
        """
        sent = self._sent[account]
        return [sent[n] for n in sorted(sent) if first <= n < nonce]
