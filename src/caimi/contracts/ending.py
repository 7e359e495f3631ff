"""Ending packets that were sent (ICS-04 v2 ``acknowledgePacket`` and ``timeoutPacket``).

A packet sent ends once: its commitment goes in the call that tells its applications, and only on
proof of its acknowledgement, or of the receipt's absence at a time not before its timeout.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from caimi.contracts.applications import Applications, PacketApplication, PacketContext
from caimi.contracts.commitments import Commitments
from caimi.contracts.execution import Effect, Execution, require
from caimi.contracts.identifiers import ClientId
from caimi.contracts.packet_rules import (
    MAX_REASON_LENGTH,
    check_acknowledgements,
    check_route,
    commitment_of,
)
from caimi.contracts.receiving import PacketSkipped
from caimi.contracts.routes import Routes
from caimi.contracts.site import Site
from caimi.errors.ledgers import CallRefused
from caimi.ibc.commitments import acknowledgement_commitment
from caimi.ibc.packet import Packet
from caimi.ibc.path import Path


@dataclass(frozen=True, slots=True)
class PacketAcknowledged(Effect):
    """A packet ended: the other side has answered."""

    client_id: ClientId
    sequence: int


@dataclass(frozen=True, slots=True)
class PacketTimedOut(Effect):
    """A packet ended: the other side did not receive it in time."""

    client_id: ClientId
    sequence: int


@dataclass(frozen=True, slots=True)
class CallbackFailed(Effect):
    """An application refused the end of a packet, which stays open: anyone may try again."""

    client_id: ClientId
    sequence: int
    reason: str
    detail: str


_Tell = Callable[[PacketApplication, Execution, PacketContext, int], None]


class PacketEnding:
    """The ending half of a gateway."""

    def __init__(self, site: Site, routes: Routes, applications: Applications) -> None:
        self._site = site
        self._routes = routes
        self._applications = applications
        self._commitments = Commitments()

    def acknowledge(
        self,
        call: Execution,
        client_id: ClientId,
        packets: Sequence[Packet],
        acknowledgements: Sequence[Sequence[bytes]],
        proof: bytes,
    ) -> None:
        """End packets that this ledger sent, by proof of their acknowledgements. Open to anyone."""
        with call.locked("gateway"):
            route = self._routes.joined(call.state, client_id)
            require(len(packets) > 0, "EmptyBatch")
            require(len(packets) == len(acknowledgements), "LengthMismatch")
            facts = []
            for packet, given in zip(packets, acknowledgements, strict=True):
                check_route(packet, client_id, route.counterparty)
                check_acknowledgements(given, len(packet.payloads))
                key = Path.acknowledgement(route.counterparty, packet.sequence).key
                facts.append((key, acknowledgement_commitment(given)))
            # An acknowledgement stays written: when does not matter.
            self._routes.verify_membership(call, route, facts, proof)
            for packet, given in zip(packets, acknowledgements, strict=True):
                if self._end(call, packet, _acknowledging(given)):
                    call.emit(PacketAcknowledged(client_id, packet.sequence))

    def time_out(
        self, call: Execution, client_id: ClientId, packets: Sequence[Packet], proof: bytes
    ) -> None:
        """End packets that this ledger sent, by proof that they were not received in time.

        Open to anyone.
        """
        with call.locked("gateway"):
            route = self._routes.joined(call.state, client_id)
            require(len(packets) > 0, "EmptyBatch")
            keys = []
            for packet in packets:
                check_route(packet, client_id, route.counterparty)
                keys.append(Path.receipt(route.counterparty, packet.sequence).key)
            time = self._routes.verify_absence(call, route, keys, proof).time
            for packet in packets:
                require(
                    time >= packet.timeout,
                    "TimeoutNotReached",
                    sequence=packet.sequence,
                    timeout_timestamp=packet.timeout,
                    proved_time=time,
                )
                if self._end(call, packet, _timing_out):
                    call.emit(PacketTimedOut(client_id, packet.sequence))

    def _end(self, call: Execution, packet: Packet, tell: _Tell) -> bool:
        """End a packet and tell its applications; gives whether it has ended.

        When one of them refuses, nothing is done: its failure stops no other packet.
        """
        client_id = ClientId(packet.source_client)
        path = Path.commitment(client_id, packet.sequence)
        commitment = self._commitments.get(call.state, path)
        if commitment is None:
            call.emit(PacketSkipped(client_id, packet.sequence))
            return False
        matches = commitment == commitment_of(packet)
        require(matches, "CommitmentMismatch", sequence=packet.sequence)
        try:
            with call.frame() as frame:
                self._commitments.delete(frame.state, path)
                for index, payload in enumerate(packet.payloads):
                    application = self._applications.at(frame.state, payload.source_port)
                    context = PacketContext(
                        packet.source_client,
                        packet.dest_client,
                        packet.sequence,
                        payload,
                        call.caller,
                        0,
                    )
                    tell(application, frame.by(self._site.gateway), context, index)
        except CallRefused as refused:
            detail = str(refused)[:MAX_REASON_LENGTH]
            call.emit(CallbackFailed(client_id, packet.sequence, refused.reason, detail))
            return False
        return True


def _acknowledging(given: Sequence[bytes]) -> _Tell:
    def tell(
        application: PacketApplication, call: Execution, context: PacketContext, index: int
    ) -> None:
        # One universal error stands for every payload.
        application.acknowledge(call, context, given[0 if len(given) == 1 else index])

    return tell


def _timing_out(
    application: PacketApplication, call: Execution, context: PacketContext, _index: int
) -> None:
    application.time_out(call, context)
