"""Sending a call so that it takes effect once: written down, sent, replaced when stuck, resumed.

Under one outbox key there may be several signed attempts: the first under the key itself, the
others under ``key#1``, ``key#2`` and so on. Attempts with one nonce exclude each other, so a stuck
one can be replaced. A new nonce is taken only when every earlier attempt is proved dead at a final
height: its nonce was used by something else, or it was included and failed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from weakref import WeakValueDictionary

from caimi.errors.ledgers import (
    FeeAboveCap,
    InsufficientFunds,
    LedgerBehind,
    LedgerRefused,
    TransactionDisplaced,
    TransactionStuck,
)
from caimi.ledgers.evm.abi.calls import EvmCall, Included
from caimi.ledgers.evm.abi.quantities import hexed
from caimi.ledgers.evm.rpc.chain import Chain
from caimi.ledgers.evm.rpc.client import RpcRefusal
from caimi.ledgers.evm.rpc.logs import EventReader
from caimi.ledgers.evm.transactions.clearing import make_way
from caimi.ledgers.evm.transactions.fees import FeePolicy
from caimi.ledgers.evm.transactions.inclusion import accepted, failure, nonce_at, standing
from caimi.ledgers.evm.transactions.nonces import Nonces
from caimi.ledgers.evm.transactions.outgoing import Attempt, read_signed, sign_apart
from caimi.ledgers.evm.transactions.pricing import price, reprice
from caimi.ledgers.port import Outbox, SignedCall, Signer

_KNOWN = ("already known", "already imported", "known transaction", "already exists")
_OUTBID = ("replacement", "could not replace")
_MAX_ATTEMPTS = 64


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds: before replacing, before giving up, and between looks.

    `displaced_after` is how long a used nonce must go without a receipt of ours before another
    transaction is believed to have taken it: nodes show a new state before its receipts, and who
    believes it too early pays twice.
    """

    stuck_after: float = 30.0
    give_up_after: float = 300.0
    displaced_after: float = 10.0
    first_look: float = 0.02
    longest_look: float = 1.0


class Sender:
    """Sends calls of any account on one ledger. `clock` gives seconds that only grow."""

    def __init__(
        self,
        chain: Chain,
        events: EventReader,
        *,
        policy: FeePolicy | None = None,
        patience: Patience | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._chain = chain
        self._events = events
        self._policy = policy or FeePolicy()
        self._patience = patience or Patience()
        self._clock = clock
        self._nonces = Nonces(chain)
        self._keys: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def sign(self, call: EvmCall[object], signer: Signer) -> SignedCall:
        """Check, price and sign a call with the next nonce, which stays free until it is sent."""
        priced = await price(self._chain, self._policy, call, signer.account)
        async with self._nonces.lock(signer.account):
            nonce = await self._nonces.next(signer.account)
        attempt = await sign_apart(
            call,
            signer,
            number=self._chain.number,
            nonce=nonce,
            gas=priced.gas,
            fees=priced.fees,
        )
        return attempt.signed

    async def broadcast(self, signed: SignedCall, sender: bytes) -> Included:
        """Send a signed call and wait; nothing replaces it, for nobody here can sign."""
        attempt = read_signed(signed, self._chain.number)
        await self._hand_over(attempt, sender)
        receipt = await _Watch(self, None, sender, None, "", [attempt]).settle()
        if receipt is None:
            raise self._displaced(attempt)
        return receipt

    async def submit(
        self, call: EvmCall[object], signer: Signer, outbox: Outbox | None = None, key: str = ""
    ) -> Included:
        """Carry a call out once under `key`; see `caimi.ledgers.port.Ledger.submit`."""
        if outbox is None:
            return await self._submit(call, signer, None, "")
        lock = self._keys.setdefault(key, asyncio.Lock())
        async with lock:
            return await self._submit(call, signer, outbox, key)

    async def _submit(
        self, call: EvmCall[object], signer: Signer, outbox: Outbox | None, key: str
    ) -> Included:
        attempts = await self._recorded(outbox, key)
        watch = _Watch(self, signer, signer.account, outbox, key, attempts)
        if attempts:
            receipt = await watch.resume(anew=call.anew)
            if receipt is not None:
                return receipt
            if not call.anew:
                raise self._displaced(watch.newest)
        await watch.start(call)
        receipt = await watch.settle()
        if receipt is None:
            raise self._displaced(watch.newest)
        return receipt

    async def _recorded(self, outbox: Outbox | None, key: str) -> list[Attempt]:
        attempts: list[Attempt] = []
        while outbox is not None and len(attempts) < _MAX_ATTEMPTS:
            signed = await outbox.sent(_slot(key, len(attempts)))
            if signed is None:
                break
            attempts.append(read_signed(signed, self._chain.number))
        return attempts

    async def _hand_over(self, attempt: Attempt, sender: bytes) -> None:
        """Send what is new; that something waits under its nonce and offers more is an error."""
        if not await self._send(attempt, sender):
            raise LedgerRefused(
                f"{attempt.call.what}: {self._chain.rpc.name} has another transaction of account "
                f"0x{sender.hex()} with nonce {attempt.nonce}, which offers more."
            )

    async def _send(self, attempt: Attempt, sender: bytes) -> bool:
        """Hand the node a transaction; one it has, or whose nonce is used, is no error here.

        False when another one waits under its nonce, which offers as much.
        """
        try:
            await self._chain.rpc.ask("eth_sendRawTransaction", hexed(attempt.signed.raw))
        except RpcRefusal as refusal:
            said = refusal.message.lower()
            if "insufficient funds" in said or "insufficient sender balance" in said:
                raise InsufficientFunds(
                    f"{attempt.call.what}: account 0x{sender.hex()} cannot pay on "
                    f"{self._chain.ledger}: {refusal.message}."
                ) from refusal
            if any(word in said for word in _OUTBID):
                return False
            if not any(word in said for word in (*_KNOWN, "nonce too low")):
                raise LedgerRefused(
                    f"{attempt.call.what}: {self._chain.rpc.name} refuses the transaction: "
                    f"{refusal.message}."
                ) from refusal
        self._nonces.taken(sender, attempt)
        return True

    def _displaced(self, attempt: Attempt) -> TransactionDisplaced:
        return TransactionDisplaced(
            f"{attempt.call.what}: nonce {attempt.nonce} of transaction {attempt.tx} was used by "
            f"another transaction on {self._chain.ledger}."
        )


class _Watch:
    """The attempts of one submission, followed to their end."""

    def __init__(
        self,
        sender: Sender,
        signer: Signer | None,
        account: bytes,
        outbox: Outbox | None,
        key: str,
        attempts: list[Attempt],
    ) -> None:
        self._sender = sender
        self._signer = signer
        self._account = account
        self._outbox = outbox
        self._key = key
        self._attempts = attempts
        self._chain = sender._chain
        self._missing_since: float | None = None

    @property
    def newest(self) -> Attempt:
        return self._attempts[-1]

    async def start(self, call: EvmCall[object]) -> None:
        """Sign a call with a fresh nonce, write it down, send it."""
        assert self._signer is not None
        sender = self._sender
        priced = await price(self._chain, sender._policy, call, self._account)
        async with sender._nonces.lock(self._account):
            attempt = await sign_apart(
                call,
                self._signer,
                number=self._chain.number,
                nonce=await sender._nonces.next(self._account),
                gas=priced.gas,
                fees=priced.fees,
            )
            await self._record(attempt)
            await sender._hand_over(attempt, self._account)

    async def resume(self, *, anew: bool) -> Included | None:
        """Finish what was recorded; None when all of it is dead for good and can be done anew."""
        now = await standing(self._chain, self._account, self._attempts)
        if now.outcome is not None and not now.outcome.succeeded and anew:
            final = await self._chain.finalized()
            if now.outcome.height <= final.height:
                return None
        if now.outcome is None and now.next_nonce <= self.newest.nonce:
            async with self._sender._nonces.lock(self._account):
                await self._sender._send(self.newest, self._account)
        return await self.settle()

    async def settle(self) -> Included | None:
        """Wait until one attempt is included; None when another transaction took their nonce.

        Raises:
            TransactionReverted: it was included and failed.
            TransactionStuck: the waiting time is over.
        """
        with self._sender._nonces.following(self._account, self.newest.nonce):
            return await self._settle()

    async def _settle(self) -> Included | None:
        patience, clock = self._sender._patience, self._sender._clock
        began = sent = clock()
        look = patience.first_look
        while True:
            now = await standing(self._chain, self._account, self._attempts)
            if now.outcome is not None:
                if not now.outcome.succeeded:
                    raise await failure(self._chain, self._account, now.outcome)
                # One of several nodes may know the receipt, and another not its block yet.
                with suppress(LedgerBehind):
                    return await accepted(self._chain, self._sender._events, now.outcome)
            elif now.next_nonce > self.newest.nonce and await self._dead():
                if self._missing_since is None:
                    self._missing_since = clock()
                if clock() - self._missing_since >= patience.displaced_after:
                    return None
            else:
                self._missing_since = None
            if clock() - began >= patience.give_up_after:
                raise TransactionStuck(
                    f"{self.newest.call.what}: transaction {self.newest.tx} was not included on "
                    f"{self._chain.ledger} within {patience.give_up_after:g} s."
                )
            if clock() - sent >= patience.stuck_after and now.next_nonce <= self.newest.nonce:
                await self._unstick(now.next_nonce)
                sent = clock()
            await asyncio.sleep(look)
            look = min(look * 2, patience.longest_look)

    async def _dead(self) -> bool:
        """Tell whether the nonce is used at a final height, and not by any of the attempts."""
        try:
            final = await self._chain.finalized()
            used = await nonce_at(self._chain, self._account, final.height)
        except LedgerBehind:
            return False
        if used <= self.newest.nonce:
            return False
        return (await standing(self._chain, self._account, self._attempts)).outcome is None

    async def _unstick(self, next_nonce: int) -> None:
        """Move what lies before, or replace the newest attempt when its turn has come."""
        sender = self._sender
        if next_nonce < self.newest.nonce:
            await self._move(next_nonce)
            return
        if self._signer is None or len(self._attempts) >= _MAX_ATTEMPTS:
            await self._send_again(self.newest)
            return
        try:
            fees = await reprice(self._chain, sender._policy, self.newest.fees)
        except FeeAboveCap:
            await self._send_again(self.newest)
            return
        attempt = await sign_apart(
            self.newest.call,
            self._signer,
            number=self._chain.number,
            nonce=self.newest.nonce,
            gas=self.newest.gas,
            fees=fees,
        )
        await self._record(attempt)
        await self._send_again(attempt)  # when refused the earlier stands; the next offers more

    async def _move(self, next_nonce: int) -> None:
        """Send again what lies before, from `next_nonce` on, or make way there."""
        nonces, patience = self._sender._nonces, self._sender._patience
        for earlier in nonces.earlier(self._account, next_nonce, self.newest.nonce):
            await self._send_again(earlier)
        await self._send_again(self.newest)
        if self._signer is None:
            return
        async with nonces.lock(self._account):
            now = self._sender._clock()
            if nonces.may_make_way(self._account, next_nonce, now, patience.stuck_after):
                await make_way(
                    self._chain,
                    self._sender._policy,
                    self._signer,
                    next_nonce,
                    nonces.known(self._account, next_nonce),
                    lambda attempt: self._sender._send(attempt, self._account),
                )

    async def _send_again(self, attempt: Attempt) -> None:
        """Send what a node may have lost; that one refuses it ends nothing."""
        with suppress(LedgerRefused, InsufficientFunds):
            await self._sender._send(attempt, self._account)

    async def _record(self, attempt: Attempt) -> None:
        if self._outbox is not None:
            await self._outbox.record(_slot(self._key, len(self._attempts)), attempt.signed)
        self._attempts.append(attempt)


def _slot(key: str, number: int) -> str:
    return f"{key}#{number}" if number else key
