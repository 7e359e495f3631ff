"""Following one packet over both ledgers: what became of it, and what it waits for.

Nothing is concluded from what one node does not show: what has not been seen yet is told as waited
for, with what its ledger's finality, its routes and its clocks say.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from caimi.client.amounts import said
from caimi.client.cargo import answered, carried
from caimi.client.context import Context
from caimi.client.signing_members import SignatureCount, signatures
from caimi.errors.messaging import UnknownPacket
from caimi.errors.operations import NoRoute, UsageError
from caimi.ibc.packet import Packet
from caimi.ledgers.port import (
    CompletedPurchase,
    CompletedTransfer,
    DeferredPacket,
    EndedPacket,
    Fact,
    FactKind,
    Ledger,
    LedgerId,
    OpenedPurchase,
    RefundedPurchase,
    RefundedTransfer,
    RelayFee,
    Route,
    SentPacket,
    WrittenAcknowledgement,
)

_ID: Final = re.compile(r"([-._a-zA-Z0-9]{1,64})/([1-9][0-9]{0,18})")
_ARRIVING: Final = frozenset({WrittenAcknowledgement, DeferredPacket})
_ENDING: Final = frozenset(
    {
        EndedPacket,
        OpenedPurchase,
        CompletedPurchase,
        RefundedPurchase,
        CompletedTransfer,
        RefundedTransfer,
        RelayFee,
    }
)
_NAMING: Final = frozenset({SentPacket, EndedPacket, RelayFee, *_ARRIVING})
_APART: Final = 3600
"""By how many seconds two ledgers' clocks may differ before a packet is looked for everywhere."""

StepName: TypeAlias = Literal["sent", "delivered", "answered", "acknowledged", "timed out"]
Outcome: TypeAlias = Literal["on its way", "acknowledged", "completed", "refunded", "timed out"]


@dataclass(frozen=True, slots=True)
class PacketStep:
    """One thing that happened to a packet; `final` unless its block may still be undone."""

    what: StepName
    ledger: str
    height: int
    time: int
    tx: str
    final: bool


@dataclass(frozen=True, slots=True)
class PacketFee:
    """What somebody set aside for a relayer: as people read it, and in smallest units."""

    relayer: str
    payer: str
    amount: str
    units: str
    held: bool


@dataclass(frozen=True, slots=True)
class FollowedPacket:
    """One packet: where from and to, what it carries, what happened, and what it waits for.

    `timeout` is in seconds of the destination's clock. `waits_for` and `next_step` are empty once
    nothing is left to happen, or to be done. `signatures` are those of the validators who are asked
    what the last step's block holds, while the other ledger waits for that; else None.
    """

    id: str
    source: str
    destination: str
    dest_client: str
    timeout: int
    carries: tuple[str, ...]
    steps: tuple[PacketStep, ...]
    answer: str
    outcome: Outcome
    fees: tuple[PacketFee, ...]
    waits_for: str
    next_step: str
    signatures: SignatureCount | None = None


@dataclass(frozen=True, slots=True)
class _Seen:
    """A fact, and where it came about."""

    height: int
    time: int
    tx: str
    fact: Fact
    final: bool

    def step(self, what: StepName, ledger: Ledger) -> PacketStep:
        return PacketStep(what, ledger.id, self.height, self.time, self.tx, self.final)


async def follow_packets(
    context: Context, named: str, ledger: Ledger | None = None
) -> list[FollowedPacket]:
    """Follow the packet that an id (``client/sequence``) names, or those of a transaction.

    The transaction may have sent, delivered or ended them, on `ledger` or on any.

    Raises:
        UnknownPacket: there is no such packet, or no such transaction, or it is about none.
        UsageError: several ledgers sent a packet of that id.
    """
    ledgers = list(context.ledgers.values()) if ledger is None else [ledger]
    by_id = _ID.fullmatch(named)
    if by_id is not None:
        found = await _by_id(ledgers, by_id[1], int(by_id[2]))
    else:
        found = await sent_in(context, ledgers, named)
    return [await _followed(context, source, sent) for source, sent in found]


async def _by_id(
    ledgers: Collection[Ledger], client: str, sequence: int
) -> list[tuple[Ledger, SentPacket]]:
    found = []
    for ledger in ledgers:
        if any(route.client_id == client for route in await ledger.gateway.routes()):
            sent = await ledger.gateway.find_sent(client, sequence)
            found += [] if sent is None else [(ledger, sent)]
    if len(found) > 1:
        where = ", ".join(ledger.id for ledger, _ in found)
        raise UsageError(f"{client}/{sequence} was sent on {where}: name one with --ledger.")
    if not found:
        where = ", ".join(ledger.id for ledger in ledgers)
        raise UnknownPacket(f"There is no packet {client}/{sequence} on {where}.")
    return found


async def sent_in(
    context: Context, ledgers: Collection[Ledger], tx: str
) -> list[tuple[Ledger, SentPacket]]:
    """Give the packets that a transaction on one of some ledgers is about, and who sent them.

    Raises:
        UnknownPacket: it is on none of them, or about none.
    """
    found: dict[tuple[str, str, int], tuple[Ledger, SentPacket]] = {}
    included = False
    for ledger in ledgers:
        height = await ledger.height_of(tx)
        if height is None:
            continue
        included = True
        async for seen in _seen(ledger, height - 1, _NAMING, height):
            if seen.tx.lower() == tx.lower():
                for source, sent in await _sent(context, ledger, seen.fact):
                    name = (source.id, sent.packet.source_client, sent.packet.sequence)
                    found[name] = (source, sent)
    if not found:
        what = "is about no packet" if included else "is on none of the ledgers that were asked"
        raise UnknownPacket(f"The transaction {tx!r:.90} {what}.")
    return list(found.values())


async def _sent(context: Context, ledger: Ledger, fact: Fact) -> list[tuple[Ledger, SentPacket]]:
    """Give the packet that a fact on a ledger is about, and where it was sent."""
    match fact:
        case SentPacket():
            return [(ledger, fact)]
        case EndedPacket(client, sequence) | RelayFee(client, sequence):
            source = ledger
        case WrittenAcknowledgement(dest, sequence) | DeferredPacket(dest, sequence):
            route = await _route(ledger, dest)
            source, client = context.ledger(route.counterparty), route.counterparty_client_id
        case _:
            return []
    sent = await source.gateway.find_sent(client, sequence)
    return [] if sent is None else [(source, sent)]


async def _seen(
    ledger: Ledger, after: int, kinds: Collection[FactKind], until: int | None = None
) -> AsyncIterator[_Seen]:
    """Give what a ledger tells of blocks after a height, what may still be undone last."""
    reached = after
    async for block in ledger.feed(after, until, kinds):
        reached = block.height
        for told in block.facts:
            yield _Seen(block.height, block.time, told.tx, told.fact, final=True)
    for block in await ledger.recent(reached, kinds):
        if until is None or block.height <= until:
            for told in block.facts:
                yield _Seen(block.height, block.time, told.tx, told.fact, final=False)


@dataclass(frozen=True, slots=True)
class _Way:
    """A packet between two ledgers; the other one is None where it is not configured."""

    source: Ledger
    destination: Ledger | None
    other: LedgerId
    packet: Packet


async def _followed(context: Context, source: Ledger, sent: SentPacket) -> FollowedPacket:
    packet = sent.packet
    other = (await _route(source, packet.source_client)).counterparty
    way = _Way(source, context.ledgers.get(other), other, packet)
    time = (await source.block(sent.height)).time
    final = sent.height <= (await source.finalized()).height
    steps = [PacketStep("sent", source.id, sent.height, time, sent.tx, final)]
    answer = ""
    if way.destination is not None:
        for seen in await _arrival(way.destination, packet, time):
            if isinstance(seen.fact, WrittenAcknowledgement):
                answer = answered(context, packet, seen.fact.acknowledgements)
            steps.append(seen.step("delivered" if len(steps) == 1 else "answered", way.destination))
    ends, outcome, fees = await _ending(context, source, sent)
    steps += ends
    waits_for, next_step, signed = "", "", None
    if outcome == "on its way":
        waits_for, next_step, signed = await _waiting(context, way, steps[-1], answer)
    elif outcome == "refunded":
        next_step = "Run `caimi withdraw` to have what came back paid out, where it was money."
    return FollowedPacket(
        id=f"{packet.source_client}/{packet.sequence}",
        source=source.id,
        destination=other,
        dest_client=packet.dest_client,
        timeout=packet.timeout,
        carries=tuple(carried(context, packet, source.id, other)),
        steps=tuple(steps),
        answer=answer,
        outcome=outcome,
        fees=fees,
        waits_for=waits_for,
        next_step=next_step,
        signatures=signed,
    )


async def _route(ledger: Ledger, client: str) -> Route:
    for route in await ledger.gateway.routes():
        if route.client_id == client:
            return route
    raise NoRoute(f"{ledger.id} has no route {client}.")


async def _arrival(destination: Ledger, packet: Packet, since: int) -> list[_Seen]:
    """Give the delivery of a packet, and its answer where that came later."""
    name = (packet.dest_client, packet.sequence)
    if not (await destination.gateway.receipts([name]))[0]:
        return []
    first = destination.deployed_at - 1
    for after in (await _height_at(destination, since - _APART) - 1, first):
        found = []
        async for seen in _seen(destination, max(after, first), _ARRIVING):
            match seen.fact:
                case WrittenAcknowledgement(client, sequence) | DeferredPacket(
                    client, sequence
                ) if (client, sequence) == name:
                    found.append(seen)
        if found:
            return found
    return []


async def _height_at(ledger: Ledger, time: int) -> int:
    """Find the first block that is not before a time, or the newest."""
    low, high = ledger.deployed_at, (await ledger.head()).height
    while low < high:
        middle = (low + high) // 2
        if (await ledger.block(middle)).time < time:
            low = middle + 1
        else:
            high = middle
    return low


async def _ending(
    context: Context, source: Ledger, sent: SentPacket
) -> tuple[list[PacketStep], Outcome, tuple[PacketFee, ...]]:
    """Tell how a packet ended on the ledger that sent it, and what its relayers are paid."""
    name, purchase = (sent.packet.source_client, sent.packet.sequence), b""
    ended: _Seen | None = None
    outcome: Outcome = "on its way"
    fees: list[RelayFee] = []
    async for seen in _seen(source, sent.height - 1, _ENDING):
        fact = seen.fact
        match fact:
            case OpenedPurchase() if (fact.client_id, fact.sequence) == name:
                purchase = fact.purchase_id
            case RelayFee() if (fact.client_id, fact.sequence) == name:
                fees.append(fact)
            case EndedPacket() if (fact.source_client, fact.sequence) == name:
                ended = seen
            case CompletedPurchase() if fact.purchase_id == purchase:
                outcome = "completed"
            case RefundedPurchase() if fact.purchase_id == purchase:
                outcome = "refunded"
            case CompletedTransfer() if (fact.client_id, fact.sequence) == name:
                outcome = "completed"
            case RefundedTransfer() if (fact.client_id, fact.sequence) == name:
                outcome = "refunded"
    steps = []
    if ended is not None:
        assert isinstance(ended.fact, EndedPacket)
        how: Literal["acknowledged", "timed out"] = (
            "acknowledged" if ended.fact.acknowledged else "timed out"
        )
        steps = [ended.step(how, source)]
        outcome = how if outcome == "on its way" else outcome
    return steps, outcome, await _fees(context, source, fees)


async def _fees(context: Context, source: Ledger, fees: list[RelayFee]) -> tuple[PacketFee, ...]:
    if source.fees is None or not fees:
        return ()
    held = await source.fees.held(fees)
    return tuple(
        PacketFee(
            context.text(fee.relayer),
            context.text(fee.payer),
            said(fee.amount),
            str(fee.amount.units),
            bool(still),
        )
        for fee, still in zip(fees, held, strict=True)
    )


async def _waiting(
    context: Context, way: _Way, last: PacketStep, answer: str
) -> tuple[str, str, SignatureCount | None]:
    """Say what a packet that has not ended waits for after a step, what can be done, who signs."""
    source, destination, packet = way.source, way.destination, way.packet
    if destination is None:
        return (
            f"what {way.other} says, which is not configured",
            f"Add a [[ledgers]] section for {way.other} to caimi.toml to see on.",
            None,
        )
    if not last.final:
        at = source if last.what == "sent" else destination
        final = (await at.finalized()).height
        return (
            f"block {last.height} of {at.id} to be final; block {final} is",
            "Wait: a ledger takes its time to make blocks final.",
            None,
        )
    if last.what == "delivered" and not answer:
        return f"the application on {way.other} to answer", "Wait: it answers on its own.", None
    shown: tuple[LedgerId, int] | None = (LedgerId(last.ledger), last.height)
    if last.what != "sent":
        believing, what = (source, packet.source_client), f"bring its answer to {source.id}"
    elif (await destination.finalized()).time >= packet.timeout:
        believing, what = (source, packet.source_client), f"prove that it is late to {source.id}"
        shown = None  # of an absence, which is signed of whichever block a relayer chooses
    else:
        believing, what = (destination, packet.dest_client), f"deliver it to {way.other}"
    stopped = await _stopped(*believing)
    if stopped is not None:
        return *stopped, None
    signed = None if shown is None else await signatures(context, *shown, believing)
    if signed is not None and not signed.enough:
        return (
            f"signatures of the committee: {signed}",
            "See that those nodes run and have the ledgers: `caimi doctor`. "
            + "; ".join(signed.silent),
            signed,
        )
    return (
        f"a relayer to {what}",
        (
            "Run the command that sent it again, which carries it where delivery in caimi.toml is "
            f"self; or see that `caimi service relayer` runs for {source.id} and {way.other}."
        ),
        signed,
    )


async def _stopped(ledger: Ledger, client: str) -> tuple[str, str] | None:
    """Say what keeps a ledger from believing what comes over a route, if anything does."""
    known = await ledger.clients.of(client)
    if (await ledger.clients.frozen([known.account]))[0]:
        return (
            f"the client {client} on {ledger.id}, which is frozen and proves nothing",
            f"Have the administrators of {ledger.id} give the route another client.",
        )
    if ledger.watching is not None and await ledger.watching.route_paused(client):
        return (
            f"the route {client} on {ledger.id}, which is paused",
            f"Ask the guardians of {ledger.id} why, and wait until they open it again.",
        )
    return None
