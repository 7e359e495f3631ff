"""Ledgers in memory as messaging tests handle them: send, fork, and see what became of packets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from caimi.contracts.ending import PacketAcknowledged, PacketTimedOut
from caimi.contracts.receiving import PacketSkipped
from caimi.errors.ledgers import TransactionReverted
from caimi.ibc.packet import Packet
from caimi.ledgers.machine.calls import MachineCall, read, sign
from caimi.ledgers.machine.escrow import FeeEarned
from caimi.ledgers.machine.gateway import sent_on, written_on
from caimi.ledgers.machine.ledger import MachineLedger
from caimi.ledgers.port import Block, Call, Committee, Route, SentPacket, WrittenAcknowledgement
from memory_ledger import MemoryChain, Wallet
from memory_ledger.joining import join
from memory_ledger.mailbox import Arrived, posting

CARRYING = ("receive", "acknowledge", "time out")


@dataclass(frozen=True)
class Happened:
    """What became of packets on one ledger in the blocks up to `height`."""

    chain: MemoryChain
    height: int

    @property
    def sent(self) -> list[SentPacket]:
        return sent_on(self.chain, 0, self.height)

    @property
    def written(self) -> list[WrittenAcknowledgement]:
        return written_on(self.chain, 0, self.height)

    @property
    def effects(self) -> Counter[tuple[str, int]]:
        """How often each packet took effect, by its destination client."""
        return Counter((each.client_id, each.sequence) for each in self._told(Arrived))

    @property
    def ended(self) -> dict[tuple[str, int], str]:
        """How packets that were sent here ended."""
        words = {PacketAcknowledged: "acknowledged", PacketTimedOut: "timed out"}
        return {
            (each.client_id, each.sequence): how
            for kind, how in words.items()
            for each in self._told(kind)
        }

    @property
    def skipped(self) -> int:
        """How many packets were brought in vain."""
        return sum(1 for _ in self._told(PacketSkipped))

    @property
    def earned(self) -> Counter[bytes]:
        """What each relayer's fees come to."""
        found: Counter[bytes] = Counter()
        for each in self._told(FeeEarned):
            found[each.name[2]] += each.amount
        return found

    def _told(self, kind: type[Any]) -> Iterator[Any]:
        return (effect for effect, _, _ in self.chain.told_of(kind, 0, self.height))


class Chain:
    """One ledger, which keeps its past so that nodes can lag and it can fork below its finality.

    Packets are what its mailbox sends. `tick` lets a second pass everywhere before each block that
    is made here. What `refuses` names, or more than `most_packets`, no node takes in one call.
    """

    def __init__(self, name: str, depth: int, tick: Callable[[], None]) -> None:
        self.truth = MemoryChain(name, depth=depth, keeps_past=True, work_price=1)
        self.ledger = MachineLedger(self.truth)
        self.id = self.truth.id
        self.address = self.ledger.gateway.address
        self.routes: list[Route] = []
        self.refuses: Callable[[Packet], bool] = lambda packet: False
        self.most_packets = 1_000
        self._tick = tick
        self._enrolled: dict[bytes, Wallet] = {}
        self._sender = self.enrol(Wallet(b"sender"))

    def enrol(self, wallet: Wallet) -> Wallet:
        """Give somebody an account, once."""
        if wallet.account not in self._enrolled:
            self.truth.book.enrol(wallet)
            self._enrolled[wallet.account] = wallet
        return self._enrolled[wallet.account]

    def join(self, other: Chain, committee: Committee) -> None:
        """Add a route to another ledger, and its to this one."""
        mine, theirs = join(self.truth, other.truth, committee)
        self.routes.append(Route(mine, theirs, other.id))
        other.routes.append(Route(theirs, mine, self.id))

    # --- blocks ---------------------------------------------------------------------------------

    @property
    def depth(self) -> int:
        return self.truth.depth

    @depth.setter
    def depth(self, blocks: int) -> None:
        self.truth.depth = blocks

    @property
    def work_price(self) -> int:
        assert self.truth.work_price is not None
        return self.truth.work_price

    @work_price.setter
    def work_price(self, price: int) -> None:
        self.truth.work_price = price

    @property
    def blocks(self) -> list[Block]:
        return self.truth.blocks

    @property
    def height(self) -> int:
        return self.truth.head.height

    @property
    def final_height(self) -> int:
        return self.truth.final.height

    @property
    def transactions(self) -> int:
        """How many calls were included."""
        return len(self.truth.included)

    @property
    def state(self) -> Happened:
        return Happened(self.truth, self.height)

    @property
    def final_state(self) -> Happened:
        return Happened(self.truth, self.final_height)

    def mine(self, count: int = 1) -> None:
        """Make empty blocks."""
        for _ in range(count):
            self._tick()
            self.truth.advance()

    def reorg(self, depth: int) -> None:
        """Undo the newest blocks; as many empty ones take their places."""
        depth = min(depth, self.height)
        self.undo(depth)
        self.mine(depth)

    def undo(self, depth: int) -> None:
        """Undo the newest blocks."""
        self.truth.undo(depth)

    # --- calls ----------------------------------------------------------------------------------

    def client_to(self, other: Chain) -> Route:
        return next(route for route in self.routes if route.counterparty == other.id)

    def send(self, other: Chain, *, value: bytes = b"ok", lasts: int = 3_600) -> Packet:
        """Send a packet to `other`."""
        (packet,) = self.send_at_once(other, [value], lasts=lasts)
        return packet

    def send_at_once(
        self, other: Chain, values: Iterable[bytes], *, lasts: int = 3_600
    ) -> list[Packet]:
        """Send several packets to `other` in one block."""
        self._tick()
        timeout = self.truth.clock + lasts
        client = self.client_to(other).client_id
        self._do(posting(self.id, timeout, [(client, value) for value in values]), self._sender)
        return [each.packet for each in sent_on(self.truth, self.height - 1, self.height)]

    def escrow(self, packet: Packet, relayer: bytes, amount: int, payer: bytes = b"payer") -> None:
        """Set a fee aside."""
        self._tick()
        by = self.enrol(Wallet(payer))
        fee = self.ledger.coins.asset.of(amount)
        self._do(self.ledger.fees.escrow(packet, self.truth.account(relayer), fee), by)

    def _do(self, call: MachineCall[Any], by: Wallet) -> None:
        codec = self.truth.accounts
        included = self.truth.take(read(sign(call, by, self.height + 1, codec), codec))
        assert included.outcome.refusal is None, included.outcome.refusal

    def check(self, call: Call[Any]) -> None:
        """Refuse what no node of this ledger takes."""
        assert isinstance(call, MachineCall)
        if call.act not in CARRYING:
            return
        packets: Sequence[Packet] = call.arguments[1]
        refused = [packet.sequence for packet in packets if self.refuses(packet)]
        if refused or len(packets) > self.most_packets:
            raise TransactionReverted(f"{len(packets)} packets, {refused} among them, are refused.")


def sequence_of(entry: SentPacket | WrittenAcknowledgement) -> int:
    return entry.packet.sequence if isinstance(entry, SentPacket) else entry.sequence
