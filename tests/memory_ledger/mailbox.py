"""An application besides CAIMI's own: it sends any bytes and takes most, as tests want it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from caimi.contracts.applications import PacketContext
from caimi.contracts.execution import Effect, Execution, refuse
from caimi.contracts.gateway import PacketGateway
from caimi.contracts.identifiers import Account, ClientId
from caimi.ibc.packet import Payload
from caimi.ledgers.machine.calls import MachineCall, nothing
from caimi.ledgers.port import LedgerId

PORT: Final = "mail"
UNWANTED: Final = b"fail"
"""What a mailbox refuses to take."""
TAKEN: Final = b"\x01"
"""What it answers with otherwise."""


@dataclass(frozen=True, slots=True)
class Arrived(Effect):
    """A mailbox took what a packet brought; `client_id` is its destination client."""

    client_id: str
    sequence: int


@dataclass
class Mailbox:
    """The mailbox of one ledger. While it `refuses_endings`, what it sent does not end."""

    gateway: PacketGateway
    account: Account = Account(b"mailbox")  # noqa: RUF009 - bytes never change
    refuses_endings: bool = False

    def post(self, call: Execution, timeout: int, letters: Sequence[tuple[str, bytes]]) -> None:
        """Send each letter, a client and a value, in a packet of its own."""
        by = call.by(self.account)
        for client_id, value in letters:
            payload = Payload(PORT, PORT, "1", "bytes", value)
            self.gateway.send(by, ClientId(client_id), timeout, (payload,))

    def receive(self, call: Execution, context: PacketContext) -> bytes:
        if context.payload.value == UNWANTED:
            refuse("Unwanted")
        call.emit(Arrived(context.dest_client, context.sequence))
        return TAKEN

    def acknowledge(self, call: Execution, context: PacketContext, acknowledgement: bytes) -> None:
        self._end()

    def time_out(self, call: Execution, context: PacketContext) -> None:
        self._end()

    def _end(self) -> None:
        if self.refuses_endings:
            refuse("Unwanted")


def posting(
    ledger: LedgerId, timeout: int, letters: Sequence[tuple[str, bytes]]
) -> MachineCall[None]:
    """Build a call that has the mailbox send letters, all in one block."""
    return MachineCall(ledger, "Posting", "post", (timeout, tuple(letters)), nothing)
