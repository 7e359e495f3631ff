"""Following one packet over both ledgers: what became of it, and what it waits for.

Nothing is concluded from what one node does not show: what has not been seen yet is told as waited
for, with what its ledger's finality, its routes and its clocks say.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from caimi.client.cargo import answered, carried
from caimi.client.context import Context
from caimi.client.packet_events import (
    ARRIVING,
    Outcome,
    PacketFee,
    PacketStep,
    arrival,
    ending,
    facts_seen,
)
from caimi.client.packet_waits import PacketWay, waiting
from caimi.client.signing_members import SignatureCount
from caimi.errors.messaging import UnknownPacket
from caimi.errors.operations import NoRoute, UsageError
from caimi.ledgers.port import (
    DeferredPacket,
    EndedPacket,
    Fact,
    Ledger,
    RelayFee,
    Route,
    SentPacket,
    WrittenAcknowledgement,
)

_ID: Final = re.compile(r"([-._a-zA-Z0-9]{1,64})/([1-9][0-9]{0,18})")
_NAMING: Final = frozenset({SentPacket, EndedPacket, RelayFee, *ARRIVING})


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
        async for seen in facts_seen(ledger, height - 1, _NAMING, height):
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


async def _followed(context: Context, source: Ledger, sent: SentPacket) -> FollowedPacket:
    packet = sent.packet
    other = (await _route(source, packet.source_client)).counterparty
    way = PacketWay(source, context.ledgers.get(other), other, packet)
    time = (await source.block(sent.height)).time
    final = sent.height <= (await source.finalized()).height
    steps = [PacketStep("sent", source.id, sent.height, time, sent.tx, final)]
    answer = ""
    if way.destination is not None:
        for seen in await arrival(way.destination, packet, time):
            if isinstance(seen.fact, WrittenAcknowledgement):
                answer = answered(context, packet, seen.fact.acknowledgements)
            steps.append(seen.step("delivered" if len(steps) == 1 else "answered", way.destination))
    ends, outcome, fees = await ending(context, source, sent)
    steps += ends
    waits_for, next_step, signed = "", "", None
    if outcome == "on its way":
        waits_for, next_step, signed = await waiting(context, way, steps[-1], answer)
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
