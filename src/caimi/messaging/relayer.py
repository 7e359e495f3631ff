"""The relayer: carries packets, acknowledgements and timeouts between ledgers.

Anyone may run one, any number at once; none is trusted. It needs no state but the ledgers': what it
keeps in memory is read again after a restart, and everything it sends has no effect a second time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from caimi.errors.base import CaimiError
from caimi.errors.messaging import RangeTooLarge
from caimi.hashing import keccak256
from caimi.ledgers.port import (
    Call,
    Ledger,
    LedgerId,
    Route,
    SentPacket,
    Signer,
    TxReceipt,
    WrittenAcknowledgement,
)
from caimi.messaging.attestations import ValidatorClient, gather_signatures
from caimi.messaging.checkpoint import Kind
from caimi.messaging.ibc import acknowledgement_key, commitment_key, receipt_key
from caimi.messaging.open_packets import OpenPackets
from caimi.messaging.proof import SignedStatement, Tree, absence_facts, statement_of
from caimi.messaging.validator import MAX_BLOCKS, read_tree

_log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Carried:
    """One transaction that moved packets. `what` is deliver, acknowledge or time out."""

    what: str
    route: Route
    packets: int
    receipt: TxReceipt


@dataclass(slots=True)
class Progress:
    """What one step did, and what it could not do."""

    carried: list[Carried] = field(default_factory=list)
    failures: list[CaimiError] = field(default_factory=list)

    @property
    def did_anything(self) -> bool:
        """Whether a transaction was sent."""
        return bool(self.carried)


class Relayer:
    """Carries between `ledgers`, with proofs signed by `validators`, paying as `signer`."""

    def __init__(
        self,
        ledgers: Mapping[LedgerId, Ledger],
        validators: Sequence[ValidatorClient],
        signer: Signer,
        *,
        batch: int = 100,
        observe: Callable[[Carried], None] = lambda carried: None,
    ) -> None:
        self._validators = validators
        self._signer = signer
        self._batch = batch
        self._observe = observe
        self._open = {name: OpenPackets(ledger) for name, ledger in ledgers.items()}

    async def run(self, poll_seconds: float) -> None:
        """Carry for ever; failures are logged and tried again, more slowly while nothing works."""
        delay = poll_seconds
        while True:
            progress = await self.step()
            for failure in progress.failures:
                _log.warning("%s", failure)
            stuck = bool(progress.failures) and not progress.did_anything
            delay = min(delay * 2, 30 * poll_seconds) if stuck else poll_seconds
            if not progress.did_anything:
                await asyncio.sleep(delay)

    async def step(self) -> Progress:
        """Carry everything that can be carried now, all routes at once, and report.

        One route's failure does not stop another's.
        """
        progress = Progress()
        for known in self._open.values():
            await self._guard(progress, known.scan())
        for known in self._open.values():
            await self._guard(progress, known.forget_ended(self._open))
        routes = [
            (known, route)
            for known in self._open.values()
            for route in await self._guard(progress, known.ledger.gateway.routes()) or ()
            if route.counterparty in self._open
        ]
        await asyncio.gather(
            *(self._guard(progress, self._carry(progress, *entry)) for entry in routes)
        )
        return progress

    async def _guard(self, progress: Progress, work: Awaitable[T]) -> T | None:
        try:
            return await work
        except CaimiError as error:
            progress.failures.append(error)
            return None

    async def _carry(self, progress: Progress, source: OpenPackets, route: Route) -> None:
        other = self._open[route.counterparty]
        found = await source.sort(route, other)
        for batch in _batches(found.deliver, self._batch, lambda entry: entry.height):
            await self._guard(progress, self._deliver(progress, source, other, route, batch))
        for acks in _batches(found.acknowledge, self._batch, lambda pair: pair[1].height):
            await self._guard(progress, self._acknowledge(progress, source, other, route, acks))
        for late in _batches(found.time_out, self._batch, lambda entry: entry.height):
            await self._guard(progress, self._time_out(progress, source, other, route, late))

    async def _deliver(
        self,
        progress: Progress,
        source: OpenPackets,
        other: OpenPackets,
        route: Route,
        batch: Sequence[SentPacket],
    ) -> None:
        client = route.counterparty_client_id
        heights = [entry.height for entry in batch]
        signed, tree = await self._checkpoint(source, other.ledger, client, heights)
        keys = [commitment_key(e.packet.source_client, e.packet.sequence) for e in batch]
        proof = signed.prove(tree, keys)
        packets = [batch[place].packet for place in proof.order]
        call = other.ledger.gateway.receive(client, packets, proof.data)
        await self._send(progress, "deliver", route, other.ledger, call, len(batch))

    async def _acknowledge(
        self,
        progress: Progress,
        source: OpenPackets,
        other: OpenPackets,
        route: Route,
        batch: Sequence[tuple[SentPacket, WrittenAcknowledgement]],
    ) -> None:
        heights = [ack.height for _, ack in batch]
        signed, tree = await self._checkpoint(other, source.ledger, route.client_id, heights)
        keys = [acknowledgement_key(s.packet.dest_client, s.packet.sequence) for s, _ in batch]
        proof = signed.prove(tree, keys)
        call = source.ledger.gateway.acknowledge(
            route.client_id,
            [batch[place][0].packet for place in proof.order],
            [batch[place][1].acknowledgements for place in proof.order],
            proof.data,
        )
        await self._send(progress, "acknowledge", route, source.ledger, call, len(batch))

    async def _time_out(
        self,
        progress: Progress,
        source: OpenPackets,
        other: OpenPackets,
        route: Route,
        batch: Sequence[SentPacket],
    ) -> None:
        assert other.final is not None
        height = other.final.height
        names = [(entry.packet.dest_client, entry.packet.sequence) for entry in batch]
        tree = Tree.of(absence_facts(names))
        committee = await source.ledger.gateway.committee(route.client_id)
        statement = statement_of(
            Kind.ABSENCE,
            keccak256(other.ledger.gateway.address),
            committee,
            (height, height),
            other.final.time,
            tree,
        )
        ledger_id = other.ledger.id
        signed = await gather_signatures(
            statement,
            committee,
            self._validators,
            lambda validator: validator.attest_absence(ledger_id, height, names),
        )
        proof = signed.prove(tree, [receipt_key(client, sequence) for client, sequence in names])
        packets = [batch[place].packet for place in proof.order]
        call = source.ledger.gateway.time_out(route.client_id, packets, proof.data)
        await self._send(progress, "time out", route, source.ledger, call, len(batch))

    async def _checkpoint(
        self, source: OpenPackets, verifier: Ledger, client: str, heights: Sequence[int]
    ) -> tuple[SignedStatement, Tree]:
        """Have the blocks that hold `heights` of `source` attested for `verifier`'s `client`."""
        ledger = source.ledger
        blocks = (min(heights) - 1, max(heights))
        tree = await read_tree(ledger.gateway, *blocks)
        committee = await verifier.gateway.committee(client)
        block = await ledger.block(blocks[1])
        statement = statement_of(
            Kind.CHECKPOINT,
            keccak256(ledger.gateway.address),
            committee,
            blocks,
            block.time,
            tree,
        )
        signed = await gather_signatures(
            statement,
            committee,
            self._validators,
            lambda validator: validator.attest(ledger.id, *blocks),
        )
        return signed, tree

    async def _send(
        self,
        progress: Progress,
        what: str,
        route: Route,
        ledger: Ledger,
        call: Call,
        packets: int,
    ) -> None:
        receipt = await ledger.submit(call, self._signer)
        carried = Carried(what, route, packets, receipt)
        progress.carried.append(carried)
        self._observe(carried)


def _batches(entries: Sequence[T], size: int, height: Callable[[T], int]) -> list[list[T]]:
    """Split in batches of at most `size` entries whose blocks one statement may cover."""
    if size < 1:
        raise RangeTooLarge("A batch has at least one packet.")
    batches: list[list[T]] = []
    for entry in sorted(entries, key=height):
        last = batches[-1] if batches else None
        if last is None or len(last) == size or height(entry) - height(last[0]) >= MAX_BLOCKS:
            batches.append([entry])
        else:
            last.append(entry)
    return batches
