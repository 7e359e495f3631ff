"""What a relayer knows of packets that have not ended, read from ledgers alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from caimi.ledgers.port import Block, Ledger, LedgerId, Route, SentPacket, WrittenAcknowledgement
from caimi.messaging.ibc import commitment_key

SCAN_BLOCKS = 5_000


@dataclass(frozen=True, slots=True)
class Sorted:
    """A route's open packets by what can be done with them now."""

    deliver: tuple[SentPacket, ...]
    acknowledge: tuple[tuple[SentPacket, WrittenAcknowledgement], ...]
    time_out: tuple[SentPacket, ...]


@dataclass(slots=True)
class OpenPackets:
    """Open packets and unrelayed acknowledgements of one ledger.

    It holds what the ledger shows in its final blocks so far; after a restart it is read again.
    """

    ledger: Ledger
    scanned: int = field(init=False)
    final: Block | None = field(default=None, init=False)
    sent: dict[tuple[str, int], SentPacket] = field(default_factory=dict, init=False)
    written: dict[tuple[str, int], WrittenAcknowledgement] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.scanned = max(0, self.ledger.deployed_at - 1)

    async def scan(self) -> None:
        """Read the blocks that became final since the last scan, some thousands at most."""
        self.final = await self.ledger.finalized()
        upto = min(self.final.height, self.scanned + SCAN_BLOCKS)
        if upto <= self.scanned:
            return
        for entry in await self.ledger.gateway.sent(self.scanned, upto):
            self.sent[entry.packet.source_client, entry.packet.sequence] = entry
        for ack in await self.ledger.gateway.written(self.scanned, upto):
            self.written[ack.packet.source_client, ack.packet.sequence] = ack
        self.scanned = upto

    async def forget_ended(self, others: Mapping[LedgerId, OpenPackets]) -> None:
        """Drop packets whose commitment is gone, and everywhere the acknowledgements of such."""
        names = list(self.sent)
        keys = [commitment_key(client, sequence) for client, sequence in names]
        live = await self.ledger.gateway.commitments(keys) if keys else []
        for name, commitment in zip(names, live, strict=True):
            if commitment == bytes(32):
                del self.sent[name]
        mine = {route.client_id for route in await self.ledger.gateway.routes()}
        for other in others.values():
            stale = [n for n in other.written if n[0] in mine and n not in self.sent]
            keys = [commitment_key(client, sequence) for client, sequence in stale]
            live = await self.ledger.gateway.commitments(keys) if keys else []
            for name, commitment in zip(stale, live, strict=True):
                if commitment == bytes(32):
                    del other.written[name]

    async def sort(self, route: Route, other: OpenPackets) -> Sorted:
        """Sort this ledger's open packets towards `route` by what the other ledger has done."""
        packets = [
            entry
            for (client, _), entry in sorted(self.sent.items())
            if client == route.client_id
            and entry.packet.dest_client == route.counterparty_client_id
        ]
        if not packets or other.final is None:
            return Sorted((), (), ())
        names = [(entry.packet.dest_client, entry.packet.sequence) for entry in packets]
        received = await other.ledger.gateway.receipts(names)
        now = (await other.ledger.head()).time
        deliver, acknowledge, time_out = [], [], []
        for entry, present in zip(packets, received, strict=True):
            ack = other.written.get((entry.packet.source_client, entry.packet.sequence))
            if present and ack is not None:
                acknowledge.append((entry, ack))
            elif not present and entry.packet.timeout > now:
                deliver.append(entry)
            elif not present and entry.packet.timeout <= other.final.time:
                time_out.append(entry)
        return Sorted(tuple(deliver), tuple(acknowledge), tuple(time_out))
