"""The relayer: carries packets, acknowledgements and timeouts between ledgers.

Anyone may run one, any number at once; none is trusted. It needs no state but the ledgers': what it
keeps in memory is read again after a restart, and everything it sends has no effect a second time.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from caimi.errors.ledgers import CallInvalid, LedgerRefused, TransactionReverted
from caimi.errors.messaging import InvalidProof, RangeTooLarge
from caimi.ledgers.light_clients import LightClient
from caimi.ledgers.port import (
    Call,
    Ledger,
    LedgerId,
    Route,
    SentPacket,
    Signer,
)
from caimi.messaging.attestations import ValidatorClient
from caimi.messaging.ibc import acknowledgement_key, commitment_key
from caimi.messaging.open_packets import AnsweredPacket, OpenPackets
from caimi.messaging.progress import Carried, E, Entry, Progress
from caimi.messaging.provers.choice import prover_for
from caimi.messaging.provers.prover import Case, Prover
from caimi.messaging.retries import Retries
from caimi.messaging.validator import MAX_ABSENCES, MAX_BLOCKS
from caimi.messaging.workload import Workload

_log = logging.getLogger(__name__)
# While one batch's transaction waits for its block, others' signatures are gathered.
_BATCHES_AT_ONCE = 4

# What one packet of a batch can be the cause of: it does not prove, the contract or the node
# refuses it, or there are too many for one transaction.
_MAY_BE_ONE_PACKET = (TransactionReverted, LedgerRefused, CallInvalid, InvalidProof)


@dataclass(frozen=True, slots=True)
class _Way:
    """Where packets of one route go: from `source` to `other`, as the source's route says."""

    source: OpenPackets
    other: OpenPackets
    route: Route


class Relayer:
    """Carries between `ledgers`, with proofs signed by `validators`, paying as `signer`.

    Construction raises `RangeTooLarge` when `batch`, the most packets of one transaction, is not
    from 1 to `MAX_ABSENCES`.
    """

    def __init__(
        self,
        ledgers: Mapping[LedgerId, Ledger],
        validators: Sequence[ValidatorClient],
        signer: Signer,
        *,
        batch: int = 100,
        observe: Callable[[Carried], None] = lambda carried: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not 1 <= batch <= MAX_ABSENCES:
            raise RangeTooLarge(f"A batch of {batch} packets is not 1 to {MAX_ABSENCES}.")
        self._validators = validators
        self._signer = signer
        self._batch = batch
        self._observe = observe
        self._open = {name: OpenPackets(ledger, ledgers) for name, ledger in ledgers.items()}
        self._retries = Retries(clock)
        self._rereadings = Retries(clock)
        self._workload = Workload()
        self._provers: dict[LightClient, Prover] = {}

    @property
    def open_packets(self) -> list[OpenPackets]:
        """What is known of each ledger's packets that have not ended."""
        return list(self._open.values())

    async def run(self, poll_seconds: float) -> None:
        """Carry for ever; failures are logged and tried again, more slowly while nothing works."""
        delay = poll_seconds
        while True:
            progress = await self.step()
            for failure in progress.failures:
                _log.warning("%s", failure)
            stuck = bool(progress.failures) and not progress.did_anything
            delay = min(delay * 2, 30 * poll_seconds) if stuck else poll_seconds
            if stuck or not (progress.did_anything or progress.behind):
                await asyncio.sleep(delay)

    async def step(self) -> Progress:
        """Carry everything that can be carried now, all routes at once, and report.

        One route's failure does not stop another's, nor one packet's another's.
        """
        progress = Progress()
        known = self._open.values()
        await asyncio.gather(*(progress.attempt(each.scan) for each in known))
        await asyncio.gather(
            *(progress.attempt(partial(each.forget_ended, self._open)) for each in known)
        )
        ways = [
            _Way(each, self._open[route.counterparty], route)
            for each in known
            for route in each.routes
        ]
        await asyncio.gather(
            *(progress.attempt(partial(self._carry, progress, way)) for way in ways)
        )
        self._retries.keep(
            {
                (what, name, *packet)
                for what in ("deliver", "acknowledge", "time out")
                for name, each in self._open.items()
                for packet in each.sent
            }
        )
        self._read_again_where_events_are_missing(progress)
        progress.behind = any(each.behind for each in known)
        return progress

    def _read_again_where_events_are_missing(self, progress: Progress) -> None:
        for name, each in self._open.items():
            if each.missing is not None and self._rereadings.due(name):
                progress.failures.append(each.missing)
                self._rereadings.tried([name])
                each.read_again()

    async def _carry(self, progress: Progress, way: _Way) -> None:
        found = await way.source.sort(way.route, way.other)
        turns = asyncio.Semaphore(_BATCHES_AT_ONCE)

        async def carry(batch: Sequence[E], work: Callable[[Sequence[E]], Awaitable[None]]) -> None:
            async with turns:
                await progress.attempt_in_parts(batch, work)

        deliver = partial(self._deliver, progress, way)
        acknowledge = partial(self._acknowledge, progress, way)
        time_out = partial(self._time_out, progress, way)
        await asyncio.gather(
            *(carry(batch, deliver) for batch in self._batches(way, "deliver", found.deliver)),
            *(
                carry(acks, acknowledge)
                for acks in self._batches(way, "acknowledge", found.acknowledge)
            ),
            *(carry(batch, time_out) for batch in self._batches(way, "time out", found.time_out)),
        )

    async def _deliver(self, progress: Progress, way: _Way, batch: Sequence[SentPacket]) -> None:
        client = way.route.counterparty_client_id
        prover = await self._prover(way.other.ledger, client)
        keys = [commitment_key(e.packet.source_client, e.packet.sequence) for e in batch]
        prove = await prover.membership(self._case(way.source, way.other), keys, _blocks(batch))

        def call(part: Sequence[SentPacket]) -> Call:
            keys = [commitment_key(e.packet.source_client, e.packet.sequence) for e in part]
            proof = prove(keys)
            packets = [part[place].packet for place in proof.order]
            return way.other.ledger.gateway.receive(client, packets, proof.data)

        await self._send(progress, "deliver", way, way.other.ledger, batch, call)

    async def _acknowledge(
        self, progress: Progress, way: _Way, batch: Sequence[AnsweredPacket]
    ) -> None:
        client = way.route.client_id
        prover = await self._prover(way.source.ledger, client)
        keys = [acknowledgement_key(e.packet.dest_client, e.packet.sequence) for e in batch]
        prove = await prover.membership(self._case(way.other, way.source), keys, _blocks(batch))

        def call(part: Sequence[AnsweredPacket]) -> Call:
            keys = [acknowledgement_key(e.packet.dest_client, e.packet.sequence) for e in part]
            proof = prove(keys)
            entries = [part[place] for place in proof.order]
            return way.source.ledger.gateway.acknowledge(
                client,
                [entry.packet for entry in entries],
                [entry.acknowledgements for entry in entries],
                proof.data,
            )

        await self._send(progress, "acknowledge", way, way.source.ledger, batch, call)

    async def _time_out(self, progress: Progress, way: _Way, batch: Sequence[SentPacket]) -> None:
        client = way.route.client_id
        prover = await self._prover(way.source.ledger, client)
        names = [(entry.packet.dest_client, entry.packet.sequence) for entry in batch]
        prove = await prover.absence(self._case(way.other, way.source), names)

        def call(part: Sequence[SentPacket]) -> Call:
            proof = prove([(e.packet.dest_client, e.packet.sequence) for e in part])
            packets = [part[place].packet for place in proof.order]
            return way.source.ledger.gateway.time_out(client, packets, proof.data)

        await self._send(progress, "time out", way, way.source.ledger, batch, call)

    async def _prover(self, verifier: Ledger, client_id: str) -> Prover:
        client = await verifier.clients.of(client_id)
        if client not in self._provers:
            self._provers[client] = prover_for(client)
        return self._provers[client]

    def _case(self, source: OpenPackets, verifier: OpenPackets) -> Case:
        assert source.final is not None
        return Case(source.ledger, verifier.ledger, source.final, self._validators)

    async def _send(
        self,
        progress: Progress,
        what: str,
        way: _Way,
        ledger: Ledger,
        batch: Sequence[E],
        call: Callable[[Sequence[E]], Call],
    ) -> None:
        """Send one transaction for `batch`; when it is refused, one for each half, and so on."""
        self._retries.tried(_name(what, way, entry) for entry in batch)
        kind = (what, way.source.ledger.id, way.route.client_id)
        parts = [batch]
        while parts:
            part = parts.pop()
            try:
                built = replace(call(part), work=self._workload.limit(kind, len(part)))
                receipt = await ledger.submit(built, self._signer)
            except _MAY_BE_ONE_PACKET as error:
                if len(part) == 1:
                    progress.failures.append(error)
                else:
                    half = len(part) // 2
                    parts += [part[half:], part[:half]]
                continue
            self._workload.took(kind, len(part), receipt.work)
            carried = Carried(what, way.route, len(part), receipt)
            progress.carried.append(carried)
            self._observe(carried)

    def _batches(self, way: _Way, what: str, entries: Iterable[E]) -> list[list[E]]:
        """Split what is due in batches whose blocks one statement may cover."""
        batches: list[list[E]] = []
        due = (entry for entry in entries if self._retries.due(_name(what, way, entry)))
        for entry in sorted(due, key=lambda entry: entry.height):
            last = batches[-1] if batches else None
            if (
                last is None
                or len(last) == self._batch
                or entry.height - last[0].height >= MAX_BLOCKS
            ):
                batches.append([entry])
            else:
                last.append(entry)
        return batches


def _blocks(batch: Sequence[Entry]) -> tuple[int, int]:
    """Give the blocks (from, to] that hold `batch`."""
    heights = [entry.height for entry in batch]
    return min(heights) - 1, max(heights)


def _name(what: str, way: _Way, entry: Entry) -> tuple[str, LedgerId, str, int]:
    return what, way.source.ledger.id, entry.packet.source_client, entry.packet.sequence
