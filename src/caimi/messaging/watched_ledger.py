"""What a watcher reads of one ledger, and how far nothing changes any more."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from caimi.errors.messaging import EventsMissing
from caimi.ibc.commitments import packet_commitment
from caimi.ibc.packet import Packet
from caimi.ibc.path import Path
from caimi.ledgers.port import Delivery, Ending, Ledger, Route, SentPacket

SCAN_BLOCKS: Final = 5_000
Name = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Sent:
    """A packet that a ledger shows as sent, by its commitment."""

    commitment: bytes
    timeout: int
    height: int


@dataclass(slots=True)
class View:
    """What was read of one ledger; `read` is the height up to which nothing changes any more.

    Of one that offers no watching only what it sent is read: what arrives elsewhere is held
    against that.
    """

    ledger: Ledger
    read: int
    routes: dict[str, Route] = field(default_factory=dict)
    sent: dict[Name, Sent] = field(default_factory=dict)
    deliveries: dict[Name, Delivery] = field(default_factory=dict)
    endings: dict[Name, Ending] = field(default_factory=dict)
    deferred: set[Name] = field(default_factory=set)
    top: int = 0
    final: int = 0
    final_time: int = 0
    head_time: int = 0
    caught_up: bool = False

    async def read_arrivals(self) -> None:
        """Read what was received and what ended since `read`."""
        head, final = await self.ledger.head(), await self.ledger.finalized()
        self.top = min(head.height, self.read + SCAN_BLOCKS)
        self.caught_up = self.top == head.height
        self.final = min(final.height, self.top)
        self.final_time, self.head_time = final.time, head.time
        self.routes = {each.client_id: each for each in await self.ledger.gateway.routes()}
        self.deliveries, self.endings = {}, {}
        watching = self.ledger.watching
        if watching is None:
            return
        for each in await watching.delivered(self.read, self.top):
            self.deliveries.setdefault((each.dest_client, each.sequence), each)
        self.endings = {
            (each.source_client, each.sequence): each
            for each in await watching.ended(self.read, self.top)
        }

    async def read_sent(self) -> None:
        """Read what was sent since `read`, up to the newest block there is now.

        Of a long past some thousands of blocks are read, as of arrivals.
        """
        until = self.read + SCAN_BLOCKS
        if until <= self.final:
            told = [each async for each in self.ledger.feed(self.read, until, {SentPacket})]
        else:
            told = await self.ledger.recent(self.read, {SentPacket})
        # A reorganisation may have put other packets in the place of those that were not final.
        self.sent = {name: each for name, each in self.sent.items() if each.height <= self.read}
        for fact in (each.fact for block in told for each in block.facts):
            if isinstance(fact, SentPacket):
                packet = fact.packet
                self.sent[packet.source_client, packet.sequence] = Sent(
                    packet_commitment(packet), packet.timeout, fact.height
                )

    async def find_sent(self, name: Name, delivered: Packet | None) -> Sent | None:
        """Give a packet that was sent; where no log tells of it, as the ledger's state has it.

        A node can leave out the log of a packet whose commitment it holds: that is no forgery.
        """
        sent = self.sent.get(name)
        if sent is not None or delivered is None:
            return sent
        (kept,) = await self.ledger.gateway.commitments([Path.commitment(*name)])
        if kept != packet_commitment(delivered):
            return None
        return Sent(kept, delivered.timeout, self.top)

    async def check_arrivals(self, upto: int) -> None:
        """Check that what was read up to a height is all, before it is read no more.

        Only of blocks that are new: of what was there long before the watcher came, each block's
        header would be asked for.

        Raises:
            EventsMissing: something arrived or ended that was not read.
        """
        watching = self.ledger.watching
        if watching is None or not self.caught_up:
            return
        known = {*self.deliveries, *self.endings}
        unread = await watching.arrivals(self.read, upto) - known
        if unread:
            client, sequence = min(unread)
            raise EventsMissing(f"No event told of packet {sequence} of {client} before.")
