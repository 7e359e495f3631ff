"""What a relayer can do about open packets: each action says what it proves, where, and its call.

Actions are plain values. `decisions` makes them of what is open, and `execution` carries them out.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Generic, Self, TypeAlias

from caimi.ibc.commitments import acknowledgement_commitment
from caimi.ibc.path import Path
from caimi.ledgers.port import Call, Ledger, LedgerId, Route, SentPacket, offered
from caimi.messaging.backlog import Name
from caimi.messaging.entries import AnsweredPacket, E, EarnedFee, last_block, packet_name
from caimi.messaging.proof import Proof
from caimi.messaging.provers.prover import ProofRequest, Prover

Proving: TypeAlias = Callable[[Sequence[E]], Proof]
"""Proves some or all entries of a batch; raises `InvalidProof` when one is not there."""


@dataclass(frozen=True, slots=True)
class Way:
    """Where packets of one route go: from the ledger `source` to the route's other end."""

    source: LedgerId
    route: Route

    @property
    def other(self) -> LedgerId:
        """The ledger that the packets are for."""
        return self.route.counterparty


@dataclass(frozen=True, slots=True)
class Action(ABC, Generic[E]):
    """One thing to be done about each entry of a batch, in one transaction if they fit.

    `batch` is in the order of its blocks. What the ledger `about` holds is proved to `client` at
    the ledger `at`, which takes the call.
    """

    what: ClassVar[str]
    way: Way
    batch: tuple[E, ...]

    @property
    def at(self) -> LedgerId:
        """The ledger that takes the call: but for deliveries the one that sent the packets."""
        return self.way.source

    @property
    def about(self) -> LedgerId:
        """The ledger that the proof is about."""
        return self.way.other

    @property
    def client(self) -> str:
        """The client of the route that checks the proof."""
        return self.way.route.client_id

    @property
    def kind(self) -> tuple[str, LedgerId, str]:
        """Actions of one kind take about as much work for each entry."""
        return self.what, self.way.source, self.way.route.client_id

    @property
    def names(self) -> list[Name]:
        """What the backlog calls each entry of the batch."""
        packets = [packet_name(each) for each in self.batch]
        return [(self.what, self.way.source, client, number) for client, number in packets]

    @property
    def fields(self) -> dict[str, object]:
        """What lines in a log say of it: the packets as (client, sequence) where they were sent."""
        numbers = tuple(number for _, number in map(packet_name, self.batch))
        return {
            "action": self.what,
            "ledger": self.way.source,
            "client": self.way.route.client_id,
            "sequences": numbers,
        }

    @property
    def income(self) -> int:
        """What it brings in, in the smallest coin of `at`."""
        return 0

    def of(self, batch: Sequence[E]) -> Self:
        """Give the same about these entries."""
        return replace(self, batch=tuple(batch))

    def halves(self) -> tuple[Self, Self]:
        """Give the same about each half of the batch."""
        middle = len(self.batch) // 2
        return self.of(self.batch[:middle]), self.of(self.batch[middle:])

    @abstractmethod
    async def prove(self, prover: Prover, case: ProofRequest) -> Proving[E]:
        """Get ready to prove what the call rests on; raises as the prover does."""
        ...

    @abstractmethod
    def call(self, ledger: Ledger, proof: Proof) -> Call[None]:
        """Build the call at `ledger`, which is `at`, with a proof of this very batch."""
        ...

    def _ordered(self, proof: Proof) -> list[E]:
        return [self.batch[place] for place in proof.order]


@dataclass(frozen=True, slots=True)
class _Shown(Action[E]):
    """An action that rests on what the other ledger keeps for each packet."""

    @abstractmethod
    def path(self, entry: E) -> Path:
        """Give where it keeps that."""
        ...

    async def prove(self, prover: Prover, case: ProofRequest) -> Proving[E]:
        blocks = min(each.height for each in self.batch) - 1, max(map(last_block, self.batch))
        paths = [self.path(each) for each in self.batch]
        prove = await prover.membership(case, paths, blocks)
        return lambda part: prove([self.path(each) for each in part])


@dataclass(frozen=True, slots=True)
class Deliver(_Shown[SentPacket]):
    """Have the other ledger receive packets, by what their sender committed to."""

    what = "deliver"

    @property
    def at(self) -> LedgerId:
        return self.way.other

    @property
    def about(self) -> LedgerId:
        return self.way.source

    @property
    def client(self) -> str:
        return self.way.route.counterparty_client_id

    def path(self, entry: SentPacket) -> Path:
        return Path.commitment(entry.packet.source_client, entry.packet.sequence)

    def call(self, ledger: Ledger, proof: Proof) -> Call[None]:
        packets = [each.packet for each in self._ordered(proof)]
        return ledger.gateway.receive(self.client, packets, proof.data)


@dataclass(frozen=True, slots=True)
class Acknowledge(_Shown[AnsweredPacket]):
    """Have the sending ledger take how its packets were answered."""

    what = "acknowledge"

    def path(self, entry: AnsweredPacket) -> Path:
        return Path.acknowledgement(entry.packet.dest_client, entry.packet.sequence)

    def call(self, ledger: Ledger, proof: Proof) -> Call[None]:
        entries = self._ordered(proof)
        packets = [each.packet for each in entries]
        answers = [each.acknowledgements for each in entries]
        return ledger.gateway.acknowledge(self.client, packets, answers, proof.data)


@dataclass(frozen=True, slots=True)
class TimeOut(Action[SentPacket]):
    """Have the sending ledger end packets that the other one has not received in time."""

    what = "time out"

    async def prove(self, prover: Prover, case: ProofRequest) -> Proving[SentPacket]:
        prove = await prover.absence(case, [_destined(each) for each in self.batch])
        return lambda part: prove([_destined(each) for each in part])

    def call(self, ledger: Ledger, proof: Proof) -> Call[None]:
        packets = [each.packet for each in self._ordered(proof)]
        return ledger.gateway.time_out(self.client, packets, proof.data)


@dataclass(frozen=True, slots=True)
class Collect(_Shown[EarnedFee]):
    """Have the sending ledger pay the fees of packets that ended acknowledged."""

    what = "collect"

    @property
    def income(self) -> int:
        return sum(each.fee.amount.units for each in self.batch)

    def path(self, entry: EarnedFee) -> Path:
        return Path.acknowledgement(entry.dest_client, entry.fee.sequence)

    def call(self, ledger: Ledger, proof: Proof) -> Call[None]:
        entries = self._ordered(proof)
        values = [acknowledgement_commitment(each.acknowledgements) for each in entries]
        escrow = offered(ledger.fees, ledger.id, "fees for relayers")
        return escrow.claim(self.client, [each.fee for each in entries], values, proof.data)


AnyAction: TypeAlias = Action[Any]


def _destined(entry: SentPacket) -> tuple[str, int]:
    return entry.packet.dest_client, entry.packet.sequence
