"""A ledger that is an instrument: it keeps packets in memory, executes nothing, checks no proof.

It stands in for a thousand nodes when what relayers and validators themselves cost is measured; a
question is what the EVM adapter makes one request, or a few, of. What it says is consistent, and
every block is final at once.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from caimi.chains import InteroperableAddress
from caimi.hashing import keccak256
from caimi.ibc.commitments import (
    acknowledgement_commitment,
    acknowledgement_key,
    commitment_key,
    packet_commitment,
)
from caimi.ibc.packet import Packet, Payload
from caimi.ledgers.port import (
    NEWEST,
    At,
    Block,
    Call,
    Committee,
    Done,
    LedgerId,
    RelayFee,
    Route,
    SentPacket,
    Signer,
    WrittenAcknowledgement,
)
from caimi.ledgers.port.clients import COMMITTEE, LightClient

START = 1_800_000_000
_NOTHING = bytes(32)
_ANSWER = (b"\x01",)
E = TypeVar("E", SentPacket, WrittenAcknowledgement)


class MemoryLedger:
    """The truth about one ledger."""

    def __init__(self, number: int, committee: Committee) -> None:
        self.id = LedgerId(f"eip155:{number}")
        here = InteroperableAddress.from_caip(self.id)
        account = number.to_bytes(20)
        self.address = InteroperableAddress(here.chain_type, here.reference, account).to_bytes()
        self.number = number
        self.committee = committee
        self.routes: list[Route] = []
        self.height = 1
        self.commitments: dict[bytes, bytes] = {}
        self.sent: list[SentPacket] = []
        self.written: list[WrittenAcknowledgement] = []
        self.ended = 0
        self._sequences: Counter[str] = Counter()

    def join(self, other: MemoryLedger) -> None:
        """Add a route to `other`, and its to this one."""
        here = f"caimi-{self.number}-{len(self.routes)}"
        there = f"caimi-{other.number}-{len(other.routes)}"
        self.routes.append(Route(here, there, other.id))
        other.routes.append(Route(there, here, self.id))

    def block(self, height: int) -> Block:
        return Block(height, START + height, keccak256(self.address + height.to_bytes(8)))

    def send(self, count: int) -> None:
        """Send as many packets over every route, in one block."""
        self.height += 1
        for route in self.routes:
            for _ in range(count):
                self._sequences[route.client_id] += 1
                packet = Packet(
                    self._sequences[route.client_id],
                    route.client_id,
                    route.counterparty_client_id,
                    START + 1_000_000,
                    (Payload("bench", "bench", "bench-1", "application/octet-stream", bytes(32)),),
                )
                key = commitment_key(packet.source_client, packet.sequence)
                self.commitments[key] = packet_commitment(packet)
                self.sent.append(SentPacket(packet, "0x", self.height))

    def receive(self, packets: Sequence[Packet]) -> int:
        self.height += 1
        for packet in packets:
            key = acknowledgement_key(packet.dest_client, packet.sequence)
            if key not in self.commitments:
                self.commitments[key] = acknowledgement_commitment(_ANSWER)
                self.written.append(
                    WrittenAcknowledgement(
                        packet.dest_client, packet.sequence, _ANSWER, "0x", self.height
                    )
                )
        return self.height

    def end(self, packets: Sequence[Packet]) -> int:
        self.height += 1
        for packet in packets:
            key = commitment_key(packet.source_client, packet.sequence)
            self.ended += self.commitments.pop(key, None) is not None
        return self.height


@dataclass(frozen=True, slots=True)
class _Built(Call[None]):
    """A call of this ledger: what it does, and gives the height of."""

    run: Callable[[], int]


class MemoryView:
    """The ledger port onto a `MemoryLedger` as far as relaying asks; `asked` counts questions."""

    def __init__(self, truth: MemoryLedger, asked: Counter[str]) -> None:
        self.id, self.address = truth.id, truth.address
        self.deployed_at = 0
        self.gateway = self.clients = self.fees = self
        self._truth = truth
        self._asked = asked

    async def head(self) -> Block:
        self._asked["head"] += 1
        return self._truth.block(self._truth.height)

    async def finalized(self) -> Block:
        self._asked["finalized"] += 1
        return self._truth.block(self._truth.height)

    async def block(self, height: int) -> Block:
        self._asked["block"] += 1
        return self._truth.block(height)

    async def routes(self) -> list[Route]:
        self._asked["routes"] += 1
        return self._truth.routes

    async def of(self, client_id: str) -> LightClient:
        self._asked["client"] += 1
        return LightClient(client_id.encode(), COMMITTEE)

    async def committee(self, account: bytes) -> Committee:
        self._asked["committee"] += 1
        return self._truth.committee

    async def traffic(
        self, from_height: int, to_height: int
    ) -> tuple[list[SentPacket], list[WrittenAcknowledgement]]:
        self._asked["traffic"] += 1
        truth = self._truth
        return (
            _between(truth.sent, from_height, to_height),
            _between(truth.written, from_height, to_height),
        )

    async def commitments(self, keys: Sequence[bytes], at: At = NEWEST) -> list[bytes]:
        self._asked["commitments"] += 1
        return [self._truth.commitments.get(key, _NOTHING) for key in keys]

    async def receipts(self, packets: Sequence[tuple[str, int]], at: At = NEWEST) -> list[bool]:
        self._asked["receipts"] += 1
        return [acknowledgement_key(*name) in self._truth.commitments for name in packets]

    async def escrowed(self, relayer: bytes, from_height: int, to_height: int) -> list[RelayFee]:
        self._asked["fees"] += 1
        return []

    def receive(self, client_id: str, packets: Sequence[Packet], proof: bytes) -> Call[None]:
        return self._call("receive", lambda: self._truth.receive(packets))

    def acknowledge(
        self,
        client_id: str,
        packets: Sequence[Packet],
        acknowledgements: Sequence[Sequence[bytes]],
        proof: bytes,
    ) -> Call[None]:
        return self._call("acknowledge", lambda: self._truth.end(packets))

    async def submit(self, call: Call[None], signer: Signer) -> Done[None]:
        self._asked["submit"] += 1
        assert isinstance(call, _Built)
        height = call.run()
        return Done(self.id, "0x", height, START + height, 100_000, 0, None)

    def _call(self, what: str, run: Callable[[], int]) -> Call[None]:
        return _Built(self.id, what, run)


def _between(entries: list[E], from_height: int, to_height: int) -> list[E]:
    first = bisect_right(entries, from_height, key=lambda entry: entry.height)
    return entries[first : bisect_right(entries, to_height, key=lambda entry: entry.height)]
