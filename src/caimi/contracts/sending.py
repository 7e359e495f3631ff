"""Sending packets (ICS-04 v2 ``sendPacket``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from caimi.contracts.applications import Applications
from caimi.contracts.bounds import number
from caimi.contracts.commitments import Commitments
from caimi.contracts.execution import Effect, Execution, require
from caimi.contracts.identifiers import ClientId
from caimi.contracts.packet_rules import MAX_TIMEOUT, check_payload, check_total, is_port
from caimi.contracts.routes import Routes
from caimi.ibc.commitments import packet_commitment
from caimi.ibc.packet import Packet, Payload
from caimi.ibc.path import Path


@dataclass(frozen=True, slots=True)
class PacketSent(Effect):
    """A packet was committed to."""

    packet: Packet


class PacketSending:
    """The sending half of a gateway.

    It is not locked: applications may send from a callback, and nothing here hands control away.
    """

    def __init__(self, routes: Routes, applications: Applications) -> None:
        self._routes = routes
        self._applications = applications
        self._commitments = Commitments()

    def send(
        self, call: Execution, client_id: ClientId, timeout: int, payloads: Sequence[Payload]
    ) -> int:
        """Send from the application registered at every payload's source port (the caller).

        `timeout` is in seconds, after now and within `MAX_TIMEOUT`. Gives the sequence.
        """
        route = self._routes.open(call.state, client_id)
        require(
            call.time < number(timeout, 64, "timeout") <= call.time + MAX_TIMEOUT,
            "InvalidTimeout",
            timeout_timestamp=timeout,
            current_time=call.time,
        )
        length = 0
        for index, payload in enumerate(payloads):
            length += check_payload(payload, index)
            self._check_ports(call, payload)
        check_total(len(payloads), length)
        sequence = self._routes.take_sequence(call, client_id, route)
        packet = Packet(sequence, client_id, route.counterparty, timeout, tuple(payloads))
        path = Path.commitment(client_id, sequence)
        self._commitments.put(call.state, path, packet_commitment(packet))
        call.emit(PacketSent(packet))
        return sequence

    def _check_ports(self, call: Execution, payload: Payload) -> None:
        """Let the application at the one port pass; the other may be a port."""
        port = payload.source_port
        require(
            self._applications.account_at(call.state, port) == call.caller,
            "NotApplication",
            port=port,
            caller=call.caller,
        )
        require(is_port(payload.dest_port), "InvalidPort", port=payload.dest_port)
