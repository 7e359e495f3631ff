"""One node of a ledger, that can fail, lag, forget and lie: a wrapper of the port's facets.

It stands before an honest connection to a ledger of any family that keeps its past, and gives what
roles that relay and attest ask for. Set its attributes to make it misbehave.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

from caimi.errors.ledgers import HistoryGone, LedgerUnavailable
from caimi.errors.messaging import EventsMissing
from caimi.hashing import keccak256
from caimi.ibc.packet import Packet
from caimi.ibc.path import Path
from caimi.ledgers.port import (
    EVERY_KIND,
    FINAL,
    NEWEST,
    Account,
    Asset,
    At,
    Block,
    BlockFacts,
    Call,
    Committee,
    Done,
    Exactly,
    FactKind,
    Ledger,
    Money,
    RelayFee,
    Route,
    SentPacket,
    Signer,
    ToldFact,
    WrittenAcknowledgement,
)
from caimi.ledgers.port.clients import LightClient

Told = SentPacket | WrittenAcknowledgement | RelayFee
Traffic = tuple[list[SentPacket], list[WrittenAcknowledgement]]


async def _nothing() -> None:
    pass


def _takes(call: Call[object]) -> None:
    pass


def _as_it_is(account: Account, held: Money) -> Money:
    return held


class LyingNode:
    """A node before `truth`.

    It is its own gateway, light clients, coins and fees. Unless it `keeps_past` it shows no state
    but the newest, and the newest final one.
    """

    def __init__(self, truth: Ledger, *, keeps_past: bool = False) -> None:
        self.truth = truth
        self.id = truth.id
        self.address = truth.gateway.address
        self.deployed_at = truth.deployed_at
        self.gateway = self.clients = self
        self.accounts = truth.accounts
        self.standing_clock = truth.standing_clock
        self.fees: LyingNode | None = None if truth.fees is None else self
        self.coins: LyingNode | None = None if truth.coins is None else self
        self.keeps_past = keeps_past
        self.down = False
        self.fails_next = 0
        self.behind = 0
        """How many blocks this node has not seen yet."""
        self.forged: list[SentPacket | WrittenAcknowledgement] = []
        self.omits: Callable[[Told], bool] = lambda entry: False
        """Which events this node leaves out without a word."""
        self.covers_up = False
        """Whether its headers and receipts tell the same lies as its logs."""
        self.time_shift = 0
        self.forked_at: int | None = None
        """From which block on it shows another fork."""
        self.hides_routes = False
        self.tells: Callable[[Account, Money], Money] = _as_it_is
        """What it says that an account has, by what that has."""
        self.before_submit: Callable[[], Awaitable[object]] = _nothing
        """What happens between the next decision to send and the sending."""
        self.takes: Callable[[Call[Any]], None] = _takes
        """Raises what this node refuses a call with."""
        self.calls: Counter[str] = Counter()

    async def _asked(self, what: str) -> None:
        self.calls[what] += 1
        await asyncio.sleep(0)
        if self.fails_next or self.down:
            self.fails_next = max(0, self.fails_next - 1)
            raise LedgerUnavailable(f"{what} on {self.id} failed.")

    # --- blocks ---------------------------------------------------------------------------------

    async def head(self) -> Block:
        await self._asked("head")
        return await self.truth.block(await self._height())

    async def finalized(self) -> Block:
        await self._asked("finalized")
        return await self.block(await self._final_height())

    async def block(self, height: int) -> Block:
        await self._asked("block")
        block = await self.truth.block(await self._seen(height))
        if self.forked_at is not None and height >= self.forked_at:
            block = replace(block, hash=keccak256(block.hash))
        return replace(block, time=block.time + self.time_shift)

    async def _height(self) -> int:
        return max(0, (await self.truth.head()).height - self.behind)

    async def _final_height(self) -> int:
        final = (await self.truth.finalized()).height
        return max(0, final - self.behind) if self.behind else final

    async def _seen(self, height: int) -> int:
        if height > await self._height():
            raise LedgerUnavailable(f"{self.id} has no block {height} yet.")
        return height

    async def _at(self, at: At) -> At:
        """Give when to read the truth."""
        if isinstance(at, Exactly):
            await self._seen(at.height)
            if not self.keeps_past and at.height != await self._height():
                raise HistoryGone(f"{self.id} does not keep the state of {at.height}.")
            return at
        if not self.behind:
            return at
        return Exactly(await (self._final_height() if at is FINAL else self._height()))

    # --- routes and packets ---------------------------------------------------------------------

    async def routes(self) -> list[Route]:
        await self._asked("routes")
        return [] if self.hides_routes else await self.truth.gateway.routes()

    async def of(self, client_id: str) -> LightClient:
        return await self.truth.clients.of(client_id)

    async def committee(self, client: str | Account) -> Committee:
        await self._asked("committee")
        if isinstance(client, str):
            return await self.truth.gateway.committee(client)
        return await self.truth.clients.committee(client)

    async def traffic(self, from_height: int, to_height: int) -> Traffic:
        await self._asked("traffic")
        await self._seen(to_height)
        sent, written = await self.truth.gateway.traffic(from_height, to_height)
        blocks = range(from_height + 1, to_height + 1)
        return (
            self._told(
                sent, [each for each in self.forged if isinstance(each, SentPacket)], blocks
            ),
            self._told(
                written,
                [each for each in self.forged if isinstance(each, WrittenAcknowledgement)],
                blocks,
            ),
        )

    async def feed(
        self, after: int, until: int | None = None, kinds: Collection[FactKind] = EVERY_KIND
    ) -> AsyncIterator[BlockFacts]:
        await self._asked("feed")
        final = await self._final_height()
        last = final if until is None else min(until, final)
        async for block in self.truth.feed(after, last, kinds):
            forged = [
                ToldFact(each.tx, each)
                for each in self.forged
                if each.height == block.height and type(each) in kinds
            ]
            told = [each for each in (*block.facts, *forged) if not self.omits(each.fact)]
            yield replace(block, facts=tuple(told))

    async def whole_traffic(self, from_height: int, to_height: int) -> Traffic:
        shown = await self.traffic(from_height, to_height)
        true = await self.truth.gateway.whole_traffic(from_height, to_height)
        if shown != true and not (self.covers_up or self.forged):
            raise EventsMissing(f"The node of {self.id} left something out.")
        return shown

    def _told(self, true: list, forged: list, blocks: range) -> list:
        told = [*true, *(each for each in forged if each.height in blocks)]
        return [each for each in told if not self.omits(each)]

    async def commitments(self, paths: Sequence[Path], at: At = NEWEST) -> list[bytes]:
        await self._asked("commitments")
        return await self.truth.gateway.commitments(paths, await self._at(at))

    async def newest_sent(self, clients: Sequence[str], at: At = NEWEST) -> list[int]:
        await self._asked("newest_sent")
        return await self.truth.gateway.newest_sent(clients, await self._at(at))

    async def receipts(self, packets: Sequence[tuple[str, int]], at: At = NEWEST) -> list[bool]:
        await self._asked("receipts")
        return await self.truth.gateway.receipts(packets, await self._at(at))

    def receive(self, client_id: str, packets: Sequence[Packet], proof: bytes) -> Call[None]:
        return self.truth.gateway.receive(client_id, packets, proof)

    def acknowledge(
        self,
        client_id: str,
        packets: Sequence[Packet],
        acknowledgements: Sequence[Sequence[bytes]],
        proof: bytes,
    ) -> Call[None]:
        return self.truth.gateway.acknowledge(client_id, packets, acknowledgements, proof)

    def time_out(self, client_id: str, packets: Sequence[Packet], proof: bytes) -> Call[None]:
        return self.truth.gateway.time_out(client_id, packets, proof)

    async def submit(self, call: Call[Any], signer: Signer, **settings: Any) -> Done[Any]:
        await self._asked("submit")
        hook, self.before_submit = self.before_submit, _nothing
        await hook()
        self.takes(call)
        return await self.truth.submit(call, signer, **settings)

    # --- fees -----------------------------------------------------------------------------------

    @property
    def asset(self) -> Asset:
        return self.truth.coins.asset

    async def work_price(self) -> Money:
        await self._asked("work price")
        return await self.truth.coins.work_price()

    async def balance(self, account: Account, at: At = NEWEST) -> Money:
        await self._asked("balance")
        return self.tells(account, await self.truth.coins.balance(account, await self._at(at)))

    def transfer(self, recipient: Account, amount: Money) -> Call[None]:
        return self.truth.coins.transfer(recipient, amount)

    async def escrowed(self, relayer: Account, from_height: int, to_height: int) -> list[RelayFee]:
        await self._asked("escrowed")
        await self._seen(to_height)
        found = await self.truth.fees.escrowed(relayer, from_height, to_height)
        return [fee for fee in found if not self.omits(fee)]

    async def held(self, fees: Sequence[RelayFee], at: At = NEWEST) -> list[Money]:
        await self._asked("held")
        return await self.truth.fees.held(fees, await self._at(at))

    def claim(
        self, client_id: str, fees: Sequence[RelayFee], values: Sequence[bytes], proof: bytes
    ) -> Call[None]:
        return self.truth.fees.claim(client_id, fees, values, proof)
