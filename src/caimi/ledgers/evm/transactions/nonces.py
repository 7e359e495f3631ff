"""Which nonce is next, for many senders of one account in one process.

The lock of an account is held from choosing a nonce until the node has taken the transaction, so
nonces are handed to the node in order and a refused one leaves no gap. What is included is kept for
a while: a reorganisation can undo it without the node putting it back, and what comes after would
wait for it for ever.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from caimi.ledgers.evm.abi.quantities import hexed, quantity
from caimi.ledgers.evm.rpc.chain import Chain
from caimi.ledgers.evm.transactions.inclusion import nonce_at
from caimi.ledgers.evm.transactions.outgoing import Attempt

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
        self._followed: defaultdict[bytes, Counter[int]] = defaultdict(Counter)
        self._held_up: dict[bytes, tuple[int, float]] = {}
        self._way_made: dict[bytes, tuple[int, float]] = {}

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

    @contextmanager
    def following(self, account: bytes, nonce: int) -> Iterator[None]:
        """Mark a nonce as one that somebody here follows, and replaces when it is stuck."""
        followed = self._followed[account]
        followed[nonce] += 1
        try:
            yield
        finally:
            followed[nonce] -= 1
            if not followed[nonce]:
                del followed[nonce]

    def known(self, account: bytes, nonce: int) -> Attempt | None:
        """Give what was last sent from here under a nonce."""
        return self._sent[account].get(nonce)

    def may_make_way(self, account: bytes, nonce: int, now: float, patience: float) -> bool:
        """Tell whether what waits under an account's lowest nonce is to be put aside now.

        Not while somebody here follows it, who replaces it, nor before it was seen to hold up
        others for so many seconds: another process may follow it. Once one is put aside, those
        right behind it wait no longer. True once in that time: many wait behind one nonce.
        """
        if nonce in self._followed[account]:
            return False
        made, at = self._way_made.get(account, (-1, -patience))
        lowest, since = self._held_up.get(account, (-1, now))
        if nonce != lowest:
            since = since if lowest == made == nonce - 1 else now
            self._held_up[account] = (nonce, since)
        if now - since < patience or (nonce == made and now - at < patience):
            return False
        self._way_made[account] = (nonce, now)
        return True
