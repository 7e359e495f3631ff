"""What a packet that has not ended waits for, and what can be done about it."""

from __future__ import annotations

from dataclasses import dataclass

from caimi.client.context import Context
from caimi.client.packet_events import PacketStep
from caimi.client.signing_members import SignatureCount, signatures
from caimi.ibc.packet import Packet
from caimi.ledgers.port import Ledger, LedgerId


@dataclass(frozen=True, slots=True)
class PacketWay:
    """A packet between two ledgers; the other one is None where it is not configured."""

    source: Ledger
    destination: Ledger | None
    other: LedgerId
    packet: Packet


async def waiting(
    context: Context, way: PacketWay, last: PacketStep, answer: str
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
