"""The relayer: carries packets, acknowledgements and timeouts between ledgers.

Anyone may run one, any number at once; none is trusted. It needs no state but the ledgers': what it
keeps in memory is read again after a restart, and everything it sends has no effect a second time.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias, TypeVar

from caimi.errors.base import CaimiError
from caimi.errors.ledgers import CallInvalid, FeeAboveCap, LedgerRefused, TransactionReverted
from caimi.errors.messaging import ClaimPending, InvalidProof, RangeTooLarge
from caimi.ibc.commitments import acknowledgement_commitment
from caimi.ibc.path import Path
from caimi.ledgers.port import (
    Account,
    Call,
    Ledger,
    LedgerId,
    Route,
    SentPacket,
    Signer,
    offered,
)
from caimi.ledgers.port.clients import LightClient
from caimi.messaging.attestations import ValidatorClient
from caimi.messaging.backlog import Backlog, Name
from caimi.messaging.open_packets import AnsweredPacket, EarnedFee, OpenPackets
from caimi.messaging.policy import Policy, RoutePolicy
from caimi.messaging.progress import Carried, E, Entry, Progress, last_block
from caimi.messaging.provers.choice import prover_for
from caimi.messaging.provers.prover import ProofRequest, Proposer, Prover, Signatures
from caimi.messaging.retries import FIRST_WAIT_SECONDS, Retries
from caimi.messaging.validator import MAX_ABSENCES
from caimi.messaging.workload import Workload

_log = logging.getLogger(__name__)
# While one batch's transaction waits for its block, others' signatures are gathered.
_BATCHES_AT_ONCE = 4
# What was found by so many looks may be under way at once.
_LOOKS_AT_ONCE = 4
_WAYS = ("deliver", "acknowledge", "time out")
# What collecting fees takes: their proof, and each of them.
_COLLECT, _COLLECT_ONE = 150_000, 50_000

# What one packet of a batch can be the cause of: it does not prove, the contract or the node
# refuses it, or there are too many for one transaction.
_MAY_BE_ONE_PACKET = (TransactionReverted, LedgerRefused, CallInvalid, InvalidProof)


P = TypeVar("P", SentPacket, AnsweredPacket)
_Work: TypeAlias = Callable[[], Awaitable[None]]
"""Carries one batch."""


@dataclass(frozen=True, slots=True)
class _Way:
    """Where packets of one route go: from `source` to `other`, as the source's route says."""

    source: OpenPackets
    other: OpenPackets
    route: Route
    signatures: Signatures


class Relayer:
    """Carries between `ledgers`, with proofs signed by `validators`, submitting as `signer`.

    That is one key for all ledgers, or, where they take no common one, a key for each.

    Without a `policy` it carries everything at once, and collects the fees that name it.

    Construction raises `RangeTooLarge` when `batch`, the most packets of one transaction, is not
    from 1 to `MAX_ABSENCES`.
    """

    def __init__(
        self,
        ledgers: Mapping[LedgerId, Ledger],
        validators: Sequence[ValidatorClient],
        signer: Signer | Mapping[LedgerId, Signer],
        *,
        batch: int = 100,
        policy: Policy | None = None,
        observe: Callable[[Carried], None] = lambda carried: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not 1 <= batch <= MAX_ABSENCES:
            raise RangeTooLarge(f"A batch of {batch} packets is not 1 to {MAX_ABSENCES}.")
        self._validators = validators
        self._signers = signer if isinstance(signer, Mapping) else dict.fromkeys(ledgers, signer)
        self._batch = batch
        self._observe = observe
        self._policy = policy or Policy()
        self._open = {
            name: OpenPackets(ledger, ledgers, Account(name, self._signers[name].account))
            for name, ledger in ledgers.items()
        }
        self._backlog = Backlog(clock, self._policy.turns)
        self._rereadings = Retries(clock)
        self._workload = Workload()
        self._provers: dict[LightClient, Prover] = {}
        self._under_way: set[Name] = set()

    @property
    def open_packets(self) -> list[OpenPackets]:
        """What is known of each ledger's packets that have not ended."""
        return list(self._open.values())

    async def run(
        self, poll_seconds: float, stepped: Callable[[Progress], None] = lambda progress: None
    ) -> None:
        """Carry for ever; failures are logged and tried again, more slowly while nothing works.

        It looks on while transactions wait for their blocks. `stepped` is told what came of each
        look, once everything that it found was carried.
        """
        delay, carrying = poll_seconds, set[asyncio.Task[Progress]]()
        try:
            while True:
                progress = Progress()
                work = await self._look(progress)
                self._read_again_where_events_are_missing(progress)
                if work:
                    carrying.add(asyncio.create_task(_carry_all(progress, work)))
                pause = 0.0 if work or progress.behind or progress.failures else delay
                if carrying and (pause or len(carrying) == _LOOKS_AT_ONCE):
                    most = None if len(carrying) == _LOOKS_AT_ONCE else pause
                    await asyncio.wait(carrying, timeout=most, return_when=asyncio.FIRST_COMPLETED)
                elif pause:
                    await asyncio.sleep(pause)
                ended = [task for task in carrying if task.done()]
                carrying.difference_update(ended)
                reports = [task.result() for task in ended] + ([] if work else [progress])
                for each in reports:
                    stepped(each)
                    for failure in each.failures:
                        _log.warning("%s", failure)
                if any(each.did_anything for each in reports):
                    delay = poll_seconds
                elif any(each.failures for each in reports):
                    delay = min(delay * 2, 30 * poll_seconds)
                    await asyncio.sleep(delay)
                elif not carrying:
                    delay = poll_seconds
        finally:
            for task in carrying:
                task.cancel()
            await asyncio.gather(*carrying, return_exceptions=True)

    async def step(self) -> Progress:
        """Carry everything that can be carried now, all routes at once, and report.

        One route's failure does not stop another's, nor one packet's another's.
        """
        progress = Progress()
        await _carry_all(progress, await self._look(progress))
        self._read_again_where_events_are_missing(progress)
        return progress

    async def _look(self, progress: Progress) -> list[_Work]:
        """Read what is new, and choose what to carry; what is being carried is left out."""
        known = self._open.values()
        await asyncio.gather(*(progress.attempt(each.scan) for each in known))
        await asyncio.gather(
            *(progress.attempt(partial(each.forget_ended, self._open)) for each in known)
        )
        signatures = Signatures()
        ways = [
            _Way(each, self._open[route.counterparty], route, signatures)
            for each in known
            for route in each.routes
        ]
        work: list[_Work] = []
        await asyncio.gather(
            *(progress.attempt(partial(self._choose, progress, way, work)) for way in ways)
        )
        names: set[Name] = set()
        for name, each in self._open.items():
            names.update((what, name, *packet) for what in _WAYS for packet in each.sent)
            names.update(("collect", name, *packet) for packet in each.fees)
        self._backlog.keep(names)
        return work

    def _read_again_where_events_are_missing(self, progress: Progress) -> None:
        for name, each in self._open.items():
            if each.missing is not None and self._rereadings.due(name):
                progress.failures.append(each.missing)
                self._rereadings.tried([name])
                each.read_again()
        progress.behind = any(each.behind for each in self._open.values())

    async def _choose(self, progress: Progress, way: _Way, chosen: list[_Work]) -> None:
        policy = self._policy.route(way.source.ledger.id, way.route)
        if not policy.carry:
            return
        found = await way.source.sort(way.route, way.other)
        turns = asyncio.Semaphore(_BATCHES_AT_ONCE)

        async def choose(
            what: str,
            at: Ledger,
            entries: Sequence[E],
            work: Callable[[Progress, _Way, Sequence[E]], Awaitable[None]],
        ) -> None:
            batches = self._batches(way, policy, what, entries)
            if not batches or await self._too_dear(progress, at):
                return
            for batch in batches:
                names = {_name(what, way, entry) for entry in batch}
                self._under_way |= names
                chosen.append(partial(carry, names, batch, partial(work, progress, way)))

        async def carry(
            names: set[Name], batch: Sequence[E], work: Callable[[Sequence[E]], Awaitable[None]]
        ) -> None:
            async def unless_pending(part: Sequence[E]) -> None:
                try:
                    await work(part)
                except ClaimPending as pending:
                    self._backlog.retries.postpone(names, pending.seconds)

            try:
                async with turns:
                    await progress.attempt_in_parts(batch, unless_pending)
            finally:
                self._under_way -= names

        here, there = way.source.ledger, way.other.ledger
        collect = await self._worth_collecting(way, found.collect)
        await asyncio.gather(
            choose("deliver", there, _paid(way, policy, found.deliver), self._deliver),
            choose("acknowledge", here, _paid(way, policy, found.acknowledge), self._acknowledge),
            choose("time out", here, _paid(way, policy, found.time_out), self._time_out),
            choose("collect", here, collect, self._collect),
        )

    async def _too_dear(self, progress: Progress, ledger: Ledger) -> bool:
        cap = self._policy.price_caps.get(ledger.id)
        if cap is None:
            return False
        if ledger.id not in progress.prices:
            coins = offered(ledger.coins, ledger.id, "coin")
            progress.prices[ledger.id] = (await coins.work_price()).units
        if progress.prices[ledger.id] > cap:
            progress.capped.add(ledger.id)
        return ledger.id in progress.capped

    async def _worth_collecting(self, way: _Way, fees: Sequence[EarnedFee]) -> list[EarnedFee]:
        """Leave the fees that are more than collecting them costs; all wait until enough are."""
        if not fees:
            return []
        ledger = way.source.ledger
        price = (await offered(ledger.coins, ledger.id, "coin").work_price()).units
        worth = [each for each in fees if each.fee.amount.units > _COLLECT_ONE * price]
        total = sum(each.fee.amount.units for each in worth)
        return worth if total > (_COLLECT + len(worth) * _COLLECT_ONE) * price else []

    async def _deliver(self, progress: Progress, way: _Way, batch: Sequence[SentPacket]) -> None:
        client = way.route.counterparty_client_id
        prover = await self._prover(way.other.ledger, client)
        case = self._case(way, way.source, way.other)
        prove = await prover.membership(case, [_sent(each) for each in batch], _blocks(batch))

        def call(part: Sequence[SentPacket]) -> Call[None]:
            proof = prove([_sent(each) for each in part])
            packets = [part[place].packet for place in proof.order]
            return way.other.ledger.gateway.receive(client, packets, proof.data)

        await self._send(progress, "deliver", way, way.other.ledger, batch, call)

    async def _acknowledge(
        self, progress: Progress, way: _Way, batch: Sequence[AnsweredPacket]
    ) -> None:
        client = way.route.client_id
        prover = await self._prover(way.source.ledger, client)
        case = self._case(way, way.other, way.source)
        prove = await prover.membership(case, [_answer(each) for each in batch], _blocks(batch))

        def call(part: Sequence[AnsweredPacket]) -> Call[None]:
            proof = prove([_answer(each) for each in part])
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
        prove = await prover.absence(self._case(way, way.other, way.source), names)

        def call(part: Sequence[SentPacket]) -> Call[None]:
            proof = prove([(e.packet.dest_client, e.packet.sequence) for e in part])
            packets = [part[place].packet for place in proof.order]
            return way.source.ledger.gateway.time_out(client, packets, proof.data)

        await self._send(progress, "time out", way, way.source.ledger, batch, call)

    async def _collect(self, progress: Progress, way: _Way, batch: Sequence[EarnedFee]) -> None:
        client, ledger = way.route.client_id, way.source.ledger
        prover = await self._prover(ledger, client)
        case = self._case(way, way.other, way.source)
        prove = await prover.membership(case, [_answer(each) for each in batch], _blocks(batch))

        def call(part: Sequence[EarnedFee]) -> Call[None]:
            proof = prove([_answer(each) for each in part])
            entries = [part[place] for place in proof.order]
            values = [acknowledgement_commitment(entry.acknowledgements) for entry in entries]
            fees = [entry.fee for entry in entries]
            escrow = offered(ledger.fees, ledger.id, "fees for relayers")
            return escrow.claim(client, fees, values, proof.data)

        await self._send(progress, "collect", way, ledger, batch, call)

    async def _prover(self, verifier: Ledger, client_id: str) -> Prover:
        client = await verifier.clients.of(client_id)
        if client not in self._provers:
            self._provers[client] = prover_for(client)
        return self._provers[client]

    def _case(self, way: _Way, source: OpenPackets, verifier: OpenPackets) -> ProofRequest:
        assert source.final is not None
        ledger = verifier.ledger
        proposer = None
        if self._policy.route(way.source.ledger.id, way.route).propose:
            signer = self._signers[ledger.id]
            account = Account(ledger.id, signer.account)
            proposer = Proposer(account, lambda call: ledger.submit(call, signer))
        return ProofRequest(
            source.ledger, ledger, source.final, self._validators, proposer, way.signatures
        )

    async def _send(
        self,
        progress: Progress,
        what: str,
        way: _Way,
        ledger: Ledger,
        batch: Sequence[E],
        call: Callable[[Sequence[E]], Call[None]],
    ) -> None:
        """Send one transaction for `batch`; when it is refused, one for each half, and so on."""
        self._backlog.retries.tried(_name(what, way, entry) for entry in batch)
        kind = _kind(what, way)
        parts = [batch]
        while parts:
            part = parts.pop()
            try:
                built = call(part).within(self._workload.limit(kind, len(part)))
                receipt = await ledger.submit(built, self._signers[ledger.id])
            except FeeAboveCap:
                names = [_name(what, way, entry) for entry in batch]
                self._backlog.retries.forgive(names)
                self._backlog.retries.postpone(names, FIRST_WAIT_SECONDS)
                progress.capped.add(ledger.id)
                return
            except _MAY_BE_ONE_PACKET as error:
                if len(part) == 1:
                    progress.failures.append(error)
                    await self._doubt(what, way, part[0], error)
                else:
                    half = len(part) // 2
                    parts += [part[half:], part[:half]]
                continue
            self._workload.took(kind, len(part), receipt.work)
            carried = Carried(what, way.route, len(part), receipt, _income(part))
            progress.carried.append(carried)
            self._observe(carried)

    async def _doubt(self, what: str, way: _Way, entry: E, refusal: CaimiError) -> None:
        """Find out whether a refused entry is what its ledgers keep; if not, it is read again."""
        _, _, client, sequence = _name(what, way, entry)
        source, dest = (client, sequence), (way.route.counterparty_client_id, sequence)
        untraceable = isinstance(refusal, InvalidProof)
        answered = not isinstance(entry, SentPacket)
        lies = [
            await way.source.doubt(source, of_sent=True, untraceable=untraceable and not answered),
            await way.other.doubt(dest, of_sent=False, untraceable=untraceable and answered),
        ]
        if any(lies):
            self._backlog.retries.forgive([_name(what, way, entry)])

    def _batches(
        self, way: _Way, policy: RoutePolicy, what: str, entries: Sequence[E]
    ) -> list[list[E]]:
        if not entries:
            return []
        most = self._batch if policy.packets is None else min(policy.packets, MAX_ABSENCES)
        if policy.work is not None:
            most = min(most, self._workload.within(_kind(what, way), policy.work))
        named = [
            (name, entry)
            for entry in entries
            if (name := _name(what, way, entry)) not in self._under_way
        ]
        now = 0 if way.other.final is None else way.other.final.time
        return self._backlog.batches(named, policy, most, now)


async def _carry_all(progress: Progress, work: Sequence[_Work]) -> Progress:
    await asyncio.gather(*(each() for each in work))
    return progress


def _paid(way: _Way, policy: RoutePolicy, entries: Sequence[P]) -> Sequence[P]:
    """Leave the packets for which enough is escrowed for this relayer."""
    if policy.minimum_fee == 0:
        return entries
    return [
        entry
        for entry in entries
        if way.source.paid((entry.packet.source_client, entry.packet.sequence))
        >= policy.minimum_fee
    ]


def _sent(entry: SentPacket) -> Path:
    """Give where its source commits to it."""
    return Path.commitment(entry.packet.source_client, entry.packet.sequence)


def _answer(entry: AnsweredPacket | EarnedFee) -> Path:
    """Give where the other ledger keeps its acknowledgement."""
    if isinstance(entry, EarnedFee):
        return Path.acknowledgement(entry.dest_client, entry.fee.sequence)
    return Path.acknowledgement(entry.packet.dest_client, entry.packet.sequence)


def _blocks(batch: Sequence[Entry]) -> tuple[int, int]:
    """Give blocks (from, to] that hold `batch`, and reach as far as it must be proved."""
    return min(entry.height for entry in batch) - 1, max(map(last_block, batch))


def _kind(what: str, way: _Way) -> tuple[str, LedgerId, str]:
    return what, way.source.ledger.id, way.route.client_id


def _income(part: Sequence[Entry]) -> int:
    return sum(entry.fee.amount.units for entry in part if isinstance(entry, EarnedFee))


def _name(what: str, way: _Way, entry: Entry) -> Name:
    if isinstance(entry, EarnedFee):
        return what, way.source.ledger.id, entry.fee.client_id, entry.fee.sequence
    return what, way.source.ledger.id, entry.packet.source_client, entry.packet.sequence
