"""A node of the unlike ledger, for the roles (port `Ledger`): it can fail, lag and lie.

It shows no state but its newest, and its newest final one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from dataclasses import replace
from inspect import iscoroutinefunction, signature
from random import Random
from typing import Any, TypeVar

from caimi.errors.ledgers import HistoryGone, LedgerUnavailable
from caimi.errors.messaging import EventsMissing
from caimi.ibc.packet import Packet
from caimi.ibc.path import Path, PathKind
from caimi.ledgers.machine.ledger import MachineLedger
from caimi.ledgers.machine.sending import Sending
from caimi.ledgers.port import (
    EVERY_KIND,
    FINAL,
    NEWEST,
    At,
    Block,
    BlockFacts,
    Call,
    Done,
    Exactly,
    FactKind,
    Outbox,
    SentPacket,
    Signer,
    WrittenAcknowledgement,
)
from faults.node import NodeFaults
from faults.process import Process
from faults.unlike_chain import UnlikeChain
from faults.unlike_machine import UnlikeMachine

T = TypeVar("T", SentPacket, WrittenAcknowledgement)
_ABSENT = bytes(32)


class _Facet:
    """A facet of the ledger, whose questions go over the network."""

    def __init__(self, facet: Any, node: UnlikeNode) -> None:
        self._facet = facet
        self._node = node

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._facet, name)
        if not iscoroutinefunction(found):
            return found

        async def ask(*given: Any, **named: Any) -> Any:
            await self._node.travel()
            asked = signature(found).bind(*given, **named)
            asked.apply_defaults()
            if "at" in asked.arguments:
                asked.arguments["at"] = self._node.at(asked.arguments["at"])
            answer = await found(*asked.args, **asked.kwargs)
            self._node.come_back()
            return answer

        return ask


class _Gateway(_Facet):
    """The gateway, as its node shows it."""

    async def sent(self, from_height: int, to_height: int) -> list[SentPacket]:
        return (await self.traffic(from_height, to_height))[0]

    async def traffic(
        self, from_height: int, to_height: int
    ) -> tuple[list[SentPacket], list[WrittenAcknowledgement]]:
        await self._node.travel()
        sent, written = await self._facet.traffic(from_height, self._node.seen(to_height))
        shown = self._node.shown(map(self._node.told, sent)), self._node.shown(written)
        self._node.come_back()
        return shown

    async def whole_traffic(
        self, from_height: int, to_height: int
    ) -> tuple[list[SentPacket], list[WrittenAcknowledgement]]:
        sent, written = await self.traffic(from_height, to_height)
        every = await self._facet.traffic(from_height, to_height)
        if [len(sent), len(written)] != [len(each) for each in every]:
            raise EventsMissing(f"A node of {self._node.id} left something out.")
        return sent, written

    async def commitments(self, paths: Sequence[Path], at: At = NEWEST) -> list[bytes]:
        await self._node.travel()
        found = await self._facet.commitments(paths, self._node.at(at))
        self._node.come_back()
        blind = self._node.faults.blind
        return [
            _ABSENT if blind and path.kind is not PathKind.COMMITMENT else value
            for path, value in zip(paths, found, strict=True)
        ]

    async def newest_sent(self, clients: Sequence[str], at: At = NEWEST) -> list[int]:
        await self._node.travel()
        found = await self._facet.newest_sent(clients, self._node.at(at))
        self._node.come_back()
        return found

    async def receipts(self, packets: Sequence[tuple[str, int]], at: At = NEWEST) -> list[bool]:
        await self._node.travel()
        found = await self._facet.receipts(packets, self._node.at(at))
        self._node.come_back()
        return [there and not self._node.faults.blind for there in found]


class UnlikeNode:
    """One node. Whatever asks it is `process`, and dies at its steps."""

    coins = fees = contract_accounts = watching = standing_clock = None
    deployed_at = 0

    def __init__(
        self, chain: UnlikeChain, process: Process, faults: NodeFaults, rng: Random
    ) -> None:
        truth = MachineLedger(chain.memory)
        self.chain = chain
        self.id = chain.id
        self.process = process
        self.faults = faults
        self.rng = rng
        self.accounts = truth.accounts
        self.gateway = _Gateway(truth.gateway, self)
        self.clients = _Facet(truth.clients, self)
        self.registry = _Facet(truth.registry, self)
        self.market = _Facet(truth.market, self)
        self.bridge = _Facet(truth.bridge, self)
        self.receipts = _Facet(truth.receipts, self)
        self._truth = truth
        self._sending = Sending(UnlikeMachine(self), lambda: rng.randbytes(16))  # type: ignore[arg-type]

    # --- the network ----------------------------------------------------------------------------

    async def travel(self) -> None:
        """Carry a question there."""
        self.process.step()
        slow = self.faults.slow and self.rng.random() < self.faults.slow
        await asyncio.sleep(self.rng.uniform(0.05, 8.0) if slow else 0.01)
        if self.faults.interrupted and self.rng.random() < self.faults.interrupted:
            raise LedgerUnavailable(f"A node of {self.id} did not answer.")
        self.chain.catch_up()

    def come_back(self) -> None:
        """Carry an answer back."""
        self.process.step()
        if self.faults.answer_lost and self.rng.random() < self.faults.answer_lost:
            raise LedgerUnavailable(f"The answer of a node of {self.id} was lost.")

    # --- blocks ---------------------------------------------------------------------------------

    async def check(self) -> None:
        await self.travel()
        self.come_back()

    async def head(self) -> Block:
        await self.travel()
        head = self.chain.blocks[self._head()]
        self.come_back()
        return head

    async def finalized(self) -> Block:
        await self.travel()
        final = self.chain.blocks[self._final()]
        self.come_back()
        return final

    async def block(self, height: int) -> Block:
        await self.travel()
        block = self.chain.blocks[self.seen(height)]
        self.come_back()
        return block

    def _head(self) -> int:
        return max(0, self.chain.head.height - self.faults.lag)

    def _final(self) -> int:
        """Give the newest final block, or one that is not: to say so is how this node lies."""
        final = min(self.chain.final_height, max(0, self._head() - self.chain.depth))
        return min(self._head(), final + self.faults.ahead)

    def seen(self, height: int) -> int:
        """Give a height that this node has; raises `LedgerUnavailable` for one to come."""
        if height > self._head():
            raise LedgerUnavailable(f"A node of {self.id} has no block {height} yet.")
        return height

    def at(self, at: At) -> At:
        """Give when to read the truth; raises `HistoryGone` for what is past."""
        if isinstance(at, Exactly):
            if self.seen(at.height) != self._head():
                raise HistoryGone(f"{self.id} does not keep the state of {at.height}.")
            return at
        return Exactly(self._final() if at is FINAL else self._head())

    # --- what it tells --------------------------------------------------------------------------

    def told(self, entry: SentPacket) -> SentPacket:
        """Give a packet as this node tells it."""
        if self.faults.rewrite is None:
            return entry
        true, false = self.faults.rewrite
        payloads = tuple(
            replace(each, value=each.value.replace(true, false)) for each in entry.packet.payloads
        )
        packet: Packet = replace(entry.packet, payloads=payloads)
        return replace(entry, packet=packet)

    def shown(self, entries: Iterable[T]) -> list[T]:
        """Leave what this node does not leave out."""
        omitted = self.faults.omitted
        return [each for each in entries if not (omitted and self.rng.random() < omitted)]

    async def feed(
        self, after: int, until: int | None = None, kinds: Collection[FactKind] = EVERY_KIND
    ) -> AsyncIterator[BlockFacts]:
        await self.travel()
        last = self._final() if until is None else min(until, self._final())
        blocks = await self._blocks(after, last, kinds)
        self.come_back()
        for each in blocks:
            yield each

    async def recent(
        self, after: int, kinds: Collection[FactKind] = EVERY_KIND
    ) -> list[BlockFacts]:
        await self.travel()
        blocks = await self._blocks(after, self._head(), kinds)
        self.come_back()
        return blocks

    async def _blocks(self, after: int, last: int, kinds: Collection[FactKind]) -> list[BlockFacts]:
        true = [each for each in await self._truth.recent(after, kinds) if each.height <= last]
        return [replace(each, facts=tuple(self._facts(each))) for each in true]

    def _facts(self, block: BlockFacts) -> Iterable[Any]:
        omitted = self.faults.omitted
        for told in block.facts:
            if omitted and self.rng.random() < omitted:
                continue
            sent = isinstance(told.fact, SentPacket)
            yield replace(told, fact=self.told(told.fact)) if sent else told

    # --- calls ----------------------------------------------------------------------------------

    async def submit(
        self, call: Call[Any], signer: Signer, *, outbox: Outbox | None = None, key: str = ""
    ) -> Done[Any]:
        ours = self._truth._ours(call)
        await self.travel()
        included = await self._sending.submit(ours, signer, outbox, key)
        return self._truth._done(included, ours.effect(included.outcome.result))

    async def aclose(self) -> None:
        """There is nothing to close."""
