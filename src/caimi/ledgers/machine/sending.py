"""Sending a call so that it takes effect once: written down, sent, looked up, made anew when dead.

A recorded call is dead once a final block is past the one that it lapses with, or once it was
included, refused, and that is final.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from itertools import count
from typing import Final

from caimi.errors.ledgers import CallRefused, TransactionStuck
from caimi.ledgers.machine.calls import MemoryCall, read, sign
from caimi.ledgers.machine.machine import Included, Machine
from caimi.ledgers.machine.refusing import refused
from caimi.ledgers.port import Outbox, SignedCall, Signer

LAPSES_AFTER: Final = 50
"""How many blocks a signed call waits to be taken."""


class Sending:
    """One connection's way to its ledger; `failure` is raised once in place of an answer."""

    def __init__(self, chain: Machine, failure: Exception | None = None) -> None:
        self._chain = chain
        self._failure = failure
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def sign(self, call: MemoryCall[object], signer: Signer) -> SignedCall:
        """Check that a call would succeed, and sign it."""
        try:
            self._chain.try_out(call, signer.account)
        except CallRefused as refusal:
            raise refused(call.what, refusal) from refusal
        return sign(call, signer, self._chain.head.height + LAPSES_AFTER)

    async def send(self, signed: SignedCall) -> Included:
        """Hand a call over; raises what it was refused with when it was included."""
        await asyncio.sleep(0)
        included = self._chain.take(read(signed))
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        return _taken(signed, included)

    async def submit(
        self, call: MemoryCall[object], signer: Signer, outbox: Outbox | None, key: str
    ) -> Included:
        """Carry a call out once under `key`."""
        if outbox is None:
            return await self.send(self.sign(call, signer))
        async with self._turns[key]:
            for number in count():
                slot = f"{key}#{number}" if number else key
                recorded = await outbox.sent(slot)
                if recorded is None:
                    signed = self.sign(call, signer)
                    await outbox.record(slot, signed)
                    return await self.send(signed)
                if not self._dead(recorded):
                    self._check_not_lapsed(recorded)
                    return await self.send(recorded)
        raise AssertionError("Slots never end.")

    def _check_not_lapsed(self, signed: SignedCall) -> None:
        until = read(signed).envelope.until
        if signed.tx not in self._chain.included and until <= self._chain.head.height:
            raise TransactionStuck(
                f"{signed.what}: {signed.tx} lapsed with block {until}, which is not final yet."
            )

    def _dead(self, signed: SignedCall) -> bool:
        final, recorded = self._chain.final.height, read(signed)
        included = self._chain.included.get(signed.tx)
        if included is None:
            return recorded.envelope.until <= final
        return included.refusal is not None and included.block.height <= final


def _taken(signed: SignedCall, included: Included) -> Included:
    if included.refusal is not None:
        raise refused(signed.what, included.refusal, tx=included.tx)
    return included
