"""Sending a call so that it takes effect once: written down, sent, looked up, made anew when dead.

A recorded call is dead once the ledger is finally older than it lapses at, or once it was
included, refused, and that is final.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from itertools import count

from caimi.errors.ledgers import CallRefused, TransactionStuck
from caimi.ledgers.machine.calls import MachineCall, SignedAct, random_salt, read, sign
from caimi.ledgers.machine.machine import IncludedAct, Machine
from caimi.ledgers.machine.refusing import refused
from caimi.ledgers.port import Outbox, SignedCall, Signer


class Sending:
    """One connection's way to its ledger; `salt` gives each call its own."""

    def __init__(self, chain: Machine, salt: Callable[[], bytes] = random_salt) -> None:
        self._chain = chain
        self._salt = salt
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def sign(self, call: MachineCall[object], signer: Signer) -> SignedCall:
        """Check that a call would succeed, and sign it."""
        try:
            self._chain.try_out(call, signer.account)
        except CallRefused as refusal:
            raise refused(call.what, refusal) from refusal
        chain = self._chain
        until = chain.age(chain.head) + chain.lapses_after
        return sign(call, signer, until, chain.accounts, self._salt())

    async def send(self, signed: SignedCall) -> IncludedAct:
        """Hand a call over; raises what it was refused with when it was included."""
        await asyncio.sleep(0)
        return _taken(signed, await self._chain.carry_out(self._read(signed)))

    async def submit(
        self, call: MachineCall[object], signer: Signer, outbox: Outbox | None, key: str
    ) -> IncludedAct:
        """Carry a call out once under `key`."""
        await self._chain.ready()
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
        until = self._read(signed).envelope.until
        if self._chain.find(signed.tx) is None and until <= self._chain.age(self._chain.head):
            raise TransactionStuck(
                f"{signed.what}: {signed.tx} lapsed at {until}, which is not final yet."
            )

    def _dead(self, signed: SignedCall) -> bool:
        final, recorded = self._chain.final, self._read(signed)
        included = self._chain.find(signed.tx)
        if included is None:
            return recorded.envelope.until <= self._chain.age(final)
        return included.outcome.refusal is not None and included.block.height <= final.height

    def _read(self, signed: SignedCall) -> SignedAct:
        return read(signed, self._chain.accounts)


def _taken(signed: SignedCall, included: IncludedAct) -> IncludedAct:
    refusal = included.outcome.refusal
    if refusal is not None:
        raise refused(signed.what, refusal, tx=included.tx)
    return included
