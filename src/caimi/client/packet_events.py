"""What happened to one packet, on the ledger that it goes to and on the one that sent it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from caimi.client.amounts import said
from caimi.client.context import Context
from caimi.ibc.packet import Packet
from caimi.ledgers.port import (
    CompletedPurchase,
    CompletedTransfer,
    DeferredPacket,
    EndedPacket,
    Fact,
    FactKind,
    Ledger,
    OpenedPurchase,
    RefundedPurchase,
    RefundedTransfer,
    RelayFee,
    SentPacket,
    WrittenAcknowledgement,
)

ARRIVING: Final = frozenset({WrittenAcknowledgement, DeferredPacket})
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
class SeenFact:
    """A fact, and where it came about."""

    height: int
    time: int
    tx: str
    fact: Fact
    final: bool

    def step(self, what: StepName, ledger: Ledger) -> PacketStep:
        return PacketStep(what, ledger.id, self.height, self.time, self.tx, self.final)


async def facts_seen(
    ledger: Ledger, after: int, kinds: Collection[FactKind], until: int | None = None
) -> AsyncIterator[SeenFact]:
    """Give what a ledger tells of blocks after a height, what may still be undone last."""
    reached = after
    async for block in ledger.feed(after, until, kinds):
        reached = block.height
        for told in block.facts:
            yield SeenFact(block.height, block.time, told.tx, told.fact, final=True)
    for block in await ledger.recent(reached, kinds):
        if until is None or block.height <= until:
            for told in block.facts:
                yield SeenFact(block.height, block.time, told.tx, told.fact, final=False)


async def arrival(destination: Ledger, packet: Packet, since: int) -> list[SeenFact]:
    """Give the delivery of a packet, and its answer where that came later."""
    name = (packet.dest_client, packet.sequence)
    if not (await destination.gateway.receipts([name]))[0]:
        return []
    first = destination.deployed_at - 1
    for after in (await _height_at(destination, since - _APART) - 1, first):
        found = []
        async for seen in facts_seen(destination, max(after, first), ARRIVING):
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


async def ending(
    context: Context, source: Ledger, sent: SentPacket
) -> tuple[list[PacketStep], Outcome, tuple[PacketFee, ...]]:
    """Tell how a packet ended on the ledger that sent it, and what its relayers are paid."""
    name, purchase = (sent.packet.source_client, sent.packet.sequence), b""
    ended: SeenFact | None = None
    outcome: Outcome = "on its way"
    fees: list[RelayFee] = []
    async for seen in facts_seen(source, sent.height - 1, _ENDING):
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
