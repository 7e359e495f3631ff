"""What a relayer knows of packets that have not ended, read from ledgers alone."""

from __future__ import annotations

import asyncio
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from caimi.errors.ledgers import HistoryGone, LedgerBehind
from caimi.errors.messaging import EventsMissing
from caimi.ibc.commitments import acknowledgement_commitment, packet_commitment
from caimi.ibc.path import Path
from caimi.ledgers.past import at_final
from caimi.ledgers.port import (
    FINAL,
    Account,
    Block,
    BlockFacts,
    Exactly,
    FactKind,
    Ledger,
    LedgerId,
    RelayFee,
    Route,
    SentPacket,
    WrittenAcknowledgement,
)
from caimi.ledgers.present import present_time
from caimi.messaging.entries import AnsweredPacket, Sorted
from caimi.messaging.waiting_fees import WaitingFees

SCAN_BLOCKS = 5_000
MAX_UNTOLD = 1_000
_ENDED = bytes(32)
_TRAFFIC: Final[frozenset[FactKind]] = frozenset({SentPacket, WrittenAcknowledgement})


@dataclass(slots=True)
class OpenPackets:
    """Open packets and unrelayed acknowledgements of one ledger, towards the ledgers in `within`.

    With them go the fees that wait here for the account `earner`.

    It holds what the ledger shows in its final blocks so far; after a restart it is read again.
    `sent` is by (source client, sequence), `written` by (destination client, sequence): each of
    the two ledgers guarantees its own names to be unique, and nobody guarantees the other's.

    A node can leave out events without a word (one of several behind an address that lags, say), or
    tell others. `missing` is set once the ledger's state shows that this happened; then read again.
    """

    ledger: Ledger
    within: Container[LedgerId]
    earner: Account | None = None
    scanned: int = field(init=False)
    final: Block | None = field(default=None, init=False)
    routes: tuple[Route, ...] = field(default=(), init=False)
    sent: dict[tuple[str, int], SentPacket] = field(default_factory=dict, init=False)
    written: dict[tuple[str, int], WrittenAcknowledgement] = field(default_factory=dict, init=False)
    missing: EventsMissing | None = field(default=None, init=False)
    _fees: WaitingFees = field(init=False)
    _newest: dict[str, int] = field(default_factory=dict, init=False)
    _untold: set[tuple[str, int]] = field(default_factory=set, init=False)
    _received_by: dict[tuple[str, int], int] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._fees = WaitingFees(self.ledger, self.earner)
        self.read_again()

    def read_again(self) -> None:
        """Read all blocks again in the scans to come; what is known stays known."""
        self.scanned = max(0, self.ledger.deployed_at - 1)
        self._fees.read_again()
        self.missing = None
        self._received_by.clear()

    @property
    def behind(self) -> bool:
        """Whether final blocks are left to read."""
        return self.final is not None and self.scanned < self.final.height

    async def scan(self) -> None:
        """Read the routes, and the blocks that became final since, some thousands at most.

        Raises:
            LedgerBehind: the ledger's node tells of fewer blocks than are final.
        """
        block = await self.ledger.finalized()
        # A node that lags behind the one asked before must not take anything back.
        if self.final is None or block.height > self.final.height:
            self.final = block
        routes = await self.ledger.gateway.routes()
        self.routes = tuple(route for route in routes if route.counterparty in self.within)
        upto = min(self.final.height, self.scanned + SCAN_BLOCKS)
        if upto <= self.scanned:
            return
        clients = {route.client_id for route in self.routes}
        told, _ = await asyncio.gather(
            self._follow(self.scanned, upto), self._fees.read(self.final.height)
        )
        for client in clients:
            self._newest.setdefault(client, 0)
        for fact in (each.fact for block in told for each in block.facts):
            match fact:
                case SentPacket(packet) if packet.source_client in clients:
                    self._note(fact)
                case WrittenAcknowledgement(client, sequence) if client in clients:
                    self.written[client, sequence] = fact
                    self._received_by.pop((client, sequence), None)
        if told:
            self.scanned = told[-1].height
        if self.scanned < upto:
            raise LedgerBehind(f"{self.ledger.id} tells of no block {upto} yet.")

    async def _follow(self, after: int, upto: int) -> list[BlockFacts]:
        return [told async for told in self.ledger.feed(after, upto, _TRAFFIC)]

    @property
    def fees(self) -> dict[tuple[str, int], dict[Account, RelayFee]]:
        """Fees that wait here for the earner: (client, sequence) to payer to fee."""
        return self._fees.known

    def paid(self, name: tuple[str, int]) -> int:
        """Tell what the earner gets for carrying a packet, in the smallest coin."""
        return self._fees.paid(name)

    def _note(self, entry: SentPacket) -> None:
        client, sequence = entry.packet.source_client, entry.packet.sequence
        self.sent[client, sequence] = entry
        # Clients number their packets from 1, without gaps (ICS-04 v2).
        skipped = range(max(self._newest[client] + 1, sequence - MAX_UNTOLD), sequence)
        self._untold.update((client, number) for number in skipped)
        self._newest[client] = sequence

    async def forget_ended(self, others: Mapping[LedgerId, OpenPackets]) -> None:
        """Drop packets that ended for good, and the acknowledgements other ledgers wrote for them.

        Only the final state counts: what the newest blocks show may be undone. An acknowledgement
        can be read before its packet is, so it goes only once packets as new as its own were read.
        """
        if self.final is None:
            return
        names = [*self.sent, *self._untold]
        unread, live = await asyncio.gather(self._unread(), self._committed(names))
        names += unread
        live += await self._committed(unread)
        unseen = []
        for name, commitment in zip(names, live, strict=True):
            if commitment == _ENDED:
                self.sent.pop(name, None)
                self._untold.discard(name)
            elif name not in self.sent:
                unseen.append(name)
        # A node can show a new state under its old height for a moment: it is asked again, for
        # reading all blocks again costs more.
        for name, commitment in zip(unseen, await self._committed(unseen), strict=True):
            if commitment != _ENDED:
                self.missing = EventsMissing(f"No event tells of packet {name[1]} of {name[0]}.")
        await self._forget_ended_fees(others, self.final)
        for route in self.routes:
            written = others[route.counterparty].written
            newest = self._newest.get(route.client_id, 0)
            for client, sequence in list(written):
                if (
                    client == route.counterparty_client_id
                    and sequence <= newest
                    and (route.client_id, sequence) not in self.sent
                    and (route.client_id, sequence) not in self._untold
                    and (route.client_id, sequence) not in self.fees
                ):
                    del written[client, sequence]

    async def _unread(self) -> list[tuple[str, int]]:
        """Name the packets after the newest that an event told of, once all blocks are read."""
        if self.final is None or self.behind or not self._newest:
            return []
        gateway, clients = self.ledger.gateway, list(self._newest)
        counts = await at_final(self.final.height, lambda at: gateway.newest_sent(clients, at))
        return [
            (client, sequence)
            for client, count in zip(clients, counts, strict=True)
            for sequence in range(max(self._newest[client], count - MAX_UNTOLD) + 1, count + 1)
        ]

    async def _committed(self, names: Sequence[tuple[str, int]]) -> list[bytes]:
        """Give what the final state holds for packets sent."""
        if self.final is None or not names:
            return []
        paths = [Path.commitment(*name) for name in names]
        gateway = self.ledger.gateway
        return await at_final(self.final.height, lambda at: gateway.commitments(paths, at))

    async def _forget_ended_fees(
        self, others: Mapping[LedgerId, OpenPackets], final: Block
    ) -> None:
        """Drop fees that were collected or given back, and those of packets that timed out."""
        ending: list[RelayFee] = []
        for route in self.routes:
            other = others[route.counterparty]
            read = not (self.behind or other.behind)
            expired = other.final.time if read and other.final is not None else 0
            ending += self._fees.ended(route, other.written, self.sent, expired)
        await self._fees.forget_paid(ending, final)

    async def find_missing(self, received: Sequence[tuple[str, int]]) -> None:
        """Notice when an acknowledgement in the blocks read was not in their events."""
        unseen = [name for name in received if name not in self.written]
        if self.final is None or self.behind or not unseen:
            return
        present_ones = await self._received(unseen, self.final.height)
        for (client, sequence), present in zip(unseen, present_ones, strict=True):
            if present:
                self.missing = EventsMissing(
                    f"No event tells of the acknowledgement of packet {sequence} for {client}."
                )

    async def _received(self, names: Sequence[tuple[str, int]], height: int) -> list[bool]:
        """Tell which packets were surely received in the blocks up to a final height.

        A ledger that keeps no past tells it a while later: a receipt that its newest final state
        holds was there by the block that is final after the question.
        """
        gateway = self.ledger.gateway
        try:
            return await gateway.receipts(names, Exactly(height))
        except HistoryGone:
            present_ones = await gateway.receipts(names, FINAL)
        by = max(height, (await self.ledger.finalized()).height)
        for name, present in zip(names, present_ones, strict=True):
            if present:
                self._received_by.setdefault(name, by)
        return [self._received_by.get(name, height + 1) <= height for name in names]

    async def doubt(self, name: tuple[str, int], *, of_sent: bool, untraceable: bool) -> bool:
        """Ask the ledger's state about a packet sent, or else answered, that does not prove.

        A node can tell an event otherwise than it was, and every proof made of it fails. What the
        state contradicts is dropped, and so is what is `untraceable`: not in its block. Gives
        whether something was; then `missing` is set.
        """
        known = self.sent.get(name) if of_sent else self.written.get(name)
        if known is None:
            return False
        if isinstance(known, SentPacket):
            path, expected = Path.commitment(*name), packet_commitment(known.packet)
        else:
            path = Path.acknowledgement(*name)
            expected = acknowledgement_commitment(known.acknowledgements)
        (kept,) = await self.ledger.gateway.commitments([path])
        if kept == expected and not untraceable:
            return False
        if of_sent and kept == _ENDED:
            return False  # somebody else was quicker
        what = "packet" if of_sent else "the acknowledgement of packet"
        self.missing = EventsMissing(f"An event tells otherwise of {what} {name[1]} of {name[0]}.")
        if of_sent:
            del self.sent[name]
            self._untold.add(name)
        else:
            del self.written[name]
        return True

    async def sort(self, route: Route, other: OpenPackets) -> Sorted:
        """Sort this ledger's open packets towards `route` by what the other ledger has done."""
        collect = await self._fees.earned(route, other.written, self.sent)
        names = sorted(name for name in self.sent if name[0] == route.client_id)
        if not names or other.final is None:
            return Sorted(collect=collect)
        # While we ask, what is being carried may come under `doubt` and go.
        entries = [self.sent[name] for name in names]
        # The newest state shows what others have relayed already.
        live = await self.ledger.gateway.commitments([Path.commitment(*name) for name in names])
        packets = [
            entry for entry, commitment in zip(entries, live, strict=True) if commitment != _ENDED
        ]
        places = [(entry.packet.dest_client, entry.packet.sequence) for entry in packets]
        received = await other.ledger.gateway.receipts(places) if places else []
        now = await _time_there(other.ledger, packets)
        await other.find_missing(
            [n for n, present in zip(places, received, strict=True) if present]
        )
        deliver, acknowledge, time_out = [], [], []
        for entry, place, present in zip(packets, places, received, strict=True):
            if place in other.written:
                answer = other.written[place]
                acknowledge.append(
                    AnsweredPacket(entry.packet, answer.acknowledgements, answer.height)
                )
            elif present:
                continue  # until its acknowledgement is final
            elif entry.packet.timeout > now:
                if self.final is not None and entry.ready <= self.final.height:
                    deliver.append(entry)
            elif entry.packet.timeout <= other.final.time:
                time_out.append(entry)
        return Sorted(tuple(deliver), tuple(acknowledge), tuple(time_out), collect)


async def _time_there(there: Ledger, packets: Sequence[SentPacket]) -> int:
    """Give the time of the ledger that packets are for; one that stands is moved past timeouts."""
    now, clock = (await there.head()).time, there.standing_clock
    if clock and any(now < entry.packet.timeout <= clock.present for entry in packets):
        return await present_time(there)
    return now
