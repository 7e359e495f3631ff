"""What applications that speak one version of one protocol, in ABI tuples, have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from caimi.contracts.applications import PacketContext
from caimi.contracts.execution import Execution, require
from caimi.contracts.gateway import PacketGateway
from caimi.contracts.identifiers import Account, ClientId
from caimi.contracts.site import Site
from caimi.ibc.applications import Application
from caimi.ibc.packet import Payload

MAX_VALUE_LENGTH: Final = 2048


@dataclass(frozen=True, slots=True)
class PacketPort:
    """A port of a gateway, and the application that it speaks for."""

    site: Site
    gateway: PacketGateway
    application: Application

    def check_caller(self, call: Execution) -> None:
        """Let the gateway pass, nobody else; refuses ``OnlyGateway``."""
        require(call.caller == self.site.gateway, "OnlyGateway", caller=call.caller)

    def check_envelope(self, context: PacketContext) -> None:
        """Let what our own kind sends pass: everything around the value of a received payload."""
        payload, ours = context.payload, self.application
        require(payload.source_port == ours.port, "UnexpectedPort", port=payload.source_port)
        require(payload.version == ours.version, "UnexpectedVersion", version=payload.version)
        require(payload.encoding == ours.encoding, "UnexpectedEncoding", encoding=payload.encoding)
        self._check_length(payload.value)

    def send(
        self, call: Execution, account: Account, client_id: ClientId, timeout: int, value: bytes
    ) -> int:
        """Send a value to our own kind, as the application that goes by `account`."""
        self._check_length(value)
        ours = self.application
        payload = Payload(ours.port, ours.port, ours.version, ours.encoding, value)
        return self.gateway.send(call.by(account), client_id, timeout, (payload,))

    def _check_length(self, value: bytes) -> None:
        require(len(value) <= MAX_VALUE_LENGTH, "PayloadTooLarge", length=len(value))
