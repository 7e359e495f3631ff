"""Receiving packets (ICS-04 v2 ``recvPacket``), and acknowledgements that come later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from caimi.contracts.applications import Applications, PacketContext
from caimi.contracts.bounds import number, utf8
from caimi.contracts.commitments import PENDING, Commitments
from caimi.contracts.execution import Effect, Execution, refuse, require
from caimi.contracts.identifiers import ClientId
from caimi.contracts.packet_rules import (
    MAX_ACKNOWLEDGEMENT_LENGTH,
    MAX_REASON_LENGTH,
    check_payloads,
    check_route,
)
from caimi.contracts.routes import Routes
from caimi.contracts.site import Site
from caimi.errors.ledgers import CallRefused
from caimi.ibc.commitments import (
    UNIVERSAL_ERROR_ACKNOWLEDGEMENT,
    acknowledgement_commitment,
    packet_commitment,
)
from caimi.ibc.packet import Packet
from caimi.ibc.path import Path

NOT_YET = "NotYet"
"""The reason by which an application leaves a packet undelivered."""


@dataclass(frozen=True, slots=True)
class AcknowledgementWritten(Effect):
    """A packet was received and answered; `client_id` is its destination client."""

    client_id: ClientId
    sequence: int
    acknowledgements: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class AcknowledgementDeferred(Effect):
    """The application took the packet and will answer later."""

    client_id: ClientId
    sequence: int


@dataclass(frozen=True, slots=True)
class ReceiveFailed(Effect):
    """An application refused the packet; the universal error acknowledgement was written.

    `reason` is the refusal's name, `detail` says more, within `MAX_REASON_LENGTH`.
    """

    client_id: ClientId
    sequence: int
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class PacketSkipped(Effect):
    """A packet of a batch had nothing left to do: done already, expired, or too early for it."""

    client_id: ClientId
    sequence: int


class PacketReceiving:
    """The receiving half of a gateway."""

    def __init__(self, site: Site, routes: Routes, applications: Applications) -> None:
        self._site = site
        self._routes = routes
        self._applications = applications
        self._commitments = Commitments()

    def receive(
        self, call: Execution, client_id: ClientId, packets: Sequence[Packet], proof: bytes
    ) -> None:
        """Deliver packets proved by one proof; all are for `client_id`. Open to anyone."""
        with call.locked("gateway"):
            route = self._routes.open(call.state, client_id)
            require(len(packets) > 0, "EmptyBatch")
            facts = []
            for packet in packets:
                check_route(packet, route.counterparty, client_id)
                check_payloads(packet.payloads)
                key = Path.commitment(packet.source_client, packet.sequence).key
                facts.append((key, packet_commitment(packet)))
            proved = self._routes.verify_membership(call, route, facts, proof)
            for packet in packets:
                self._receive(call, client_id, packet, proved.height)

    def write_acknowledgement(
        self, call: Execution, client_id: ClientId, sequence: int, acknowledgement: bytes
    ) -> None:
        """Answer a packet whose application gave nothing on receipt: that application, once."""
        utf8(client_id, "client_id")
        path = Path.acknowledgement(client_id, number(sequence, 64, "sequence"))
        require(
            self._commitments.owed_by(call.state, path) == call.caller,
            "NotPending",
            dest_client=client_id,
            sequence=sequence,
        )
        fits = 0 < len(acknowledgement) <= MAX_ACKNOWLEDGEMENT_LENGTH
        require(fits, "InvalidAcknowledgement")
        self._commitments.settle(call.state, path)
        self._write(call, client_id, sequence, (acknowledgement,))

    def _receive(self, call: Execution, client_id: ClientId, packet: Packet, height: int) -> None:
        """Deliver one packet.

        The place of its acknowledgement is taken before applications run, so that none can have it
        delivered again, and stays so until one that answers later has done so.
        """
        path = Path.acknowledgement(client_id, packet.sequence)
        taken = self._commitments.get(call.state, path) is not None
        if taken or call.time >= packet.timeout:
            call.emit(PacketSkipped(client_id, packet.sequence))
            return
        self._commitments.put(call.state, path, PENDING)
        try:
            acknowledgements = self._deliver(call, packet, height)
        except CallRefused as refused:
            if refused.reason == NOT_YET:
                self._commitments.delete(call.state, path)
                call.emit(PacketSkipped(client_id, packet.sequence))
                return
            detail = str(refused)[:MAX_REASON_LENGTH]
            call.emit(ReceiveFailed(client_id, packet.sequence, refused.reason, detail))
            acknowledgements = (UNIVERSAL_ERROR_ACKNOWLEDGEMENT,)
        if acknowledgements == (b"",):
            application = self._applications.at(call.state, packet.payloads[0].dest_port)
            self._commitments.owe(call.state, path, application.account)
            call.emit(AcknowledgementDeferred(client_id, packet.sequence))
            return
        self._write(call, client_id, packet.sequence, acknowledgements)

    def _deliver(self, call: Execution, packet: Packet, height: int) -> tuple[bytes, ...]:
        """Deliver to all applications, or to none; refuses as the first that refuses."""
        acknowledgements = []
        with call.frame() as frame:
            for payload in packet.payloads:
                application = self._applications.at(call.state, payload.dest_port)
                context = PacketContext(
                    packet.source_client,
                    packet.dest_client,
                    packet.sequence,
                    payload,
                    call.caller,
                    height,
                )
                answer = application.receive(frame.by(self._site.gateway), context)
                # Only one that is alone may answer later, as in ibc-go.
                late = not answer and len(packet.payloads) > 1
                too_long = len(answer) > MAX_ACKNOWLEDGEMENT_LENGTH
                if late or too_long or answer == UNIVERSAL_ERROR_ACKNOWLEDGEMENT:
                    refuse("InvalidAcknowledgement")
                acknowledgements.append(answer)
        return tuple(acknowledgements)

    def _write(
        self, call: Execution, client_id: ClientId, sequence: int, written: tuple[bytes, ...]
    ) -> None:
        path = Path.acknowledgement(client_id, sequence)
        self._commitments.put(call.state, path, acknowledgement_commitment(written))
        call.emit(AcknowledgementWritten(client_id, sequence, written))
