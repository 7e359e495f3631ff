"""What a watcher reads of one ledger, and how far nothing changes any more."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Protocol

from caimi.ledgers.port import Call, Delivery, Ending, Gateway, Ledger, Route
from caimi.messaging.ibc import packet_commitment

SCAN_BLOCKS: Final = 5_000
Name = tuple[str, int]


class WatchedGateway(Gateway, Protocol):
    """What a watcher needs of a gateway besides the port."""

    async def delivered(self, from_height: int, to_height: int) -> list[Delivery]:
        """Packets received in blocks (from_height, to_height]."""
        ...

    async def ended(self, from_height: int, to_height: int) -> list[Ending]:
        """Packets that ended in blocks (from_height, to_height]."""
        ...

    async def route_paused(self, client_id: str, at: int | None = None) -> bool: ...
    def pause_route(self, client_id: str) -> Call: ...
    async def report_conflict(self, client_id: str, first: bytes, second: bytes) -> Call: ...


class WatchedLedger(Ledger, Protocol):
    """A ledger whose gateway can be watched."""

    @property
    def gateway(self) -> WatchedGateway: ...


@dataclass(frozen=True, slots=True)
class Sent:
    """A packet that a ledger shows as sent, by its commitment."""

    commitment: bytes
    timeout: int
    height: int


@dataclass(slots=True)
class View:
    """What was read of one ledger; `read` is the height up to which nothing changes any more."""

    ledger: WatchedLedger
    read: int
    routes: dict[str, Route] = field(default_factory=dict)
    sent: dict[Name, Sent] = field(default_factory=dict)
    deliveries: dict[Name, Delivery] = field(default_factory=dict)
    endings: dict[Name, Ending] = field(default_factory=dict)
    deferred: set[Name] = field(default_factory=set)
    top: int = 0
    final: int = 0
    final_time: int = 0

    async def read_arrivals(self) -> None:
        """Read what was received and what ended since `read`."""
        head, final = (await self.ledger.head()).height, await self.ledger.finalized()
        self.top = min(head, self.read + SCAN_BLOCKS)
        self.final = min(final.height, self.top)
        self.final_time = final.time
        gateway = self.ledger.gateway
        self.routes = {route.client_id: route for route in await gateway.routes()}
        self.deliveries = {}
        for each in await gateway.delivered(self.read, self.top):
            self.deliveries.setdefault((each.dest_client, each.sequence), each)
        self.endings = {
            (each.source_client, each.sequence): each
            for each in await gateway.ended(self.read, self.top)
        }

    async def read_sent(self) -> None:
        """Read what was sent since `read`, up to the newest block there is now."""
        top = min((await self.ledger.head()).height, self.read + SCAN_BLOCKS)
        sent = await self.ledger.gateway.sent(self.read, top)
        # A reorganisation may have put other packets in the place of those that were not final.
        self.sent = {name: each for name, each in self.sent.items() if each.height <= self.read}
        for entry in sent:
            packet = entry.packet
            self.sent[packet.source_client, packet.sequence] = Sent(
                packet_commitment(packet), packet.timeout, entry.height
            )
