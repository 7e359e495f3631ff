"""The applications behind a gateway's ports (ICS-26, v2 callbacks)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from caimi.contracts.authority import Authority, AuthorityRole
from caimi.contracts.execution import Effect, Execution, refuse, require
from caimi.contracts.identifiers import Account
from caimi.contracts.packet_rules import is_port
from caimi.contracts.records import Table
from caimi.contracts.state import State
from caimi.ibc.packet import Payload


@dataclass(frozen=True, slots=True)
class ApplicationAdded(Effect):
    """A port has an application."""

    port: str
    application: Account


@dataclass(frozen=True, slots=True)
class PacketContext:
    """What a gateway tells an application about one payload of a packet.

    `relayer` brought it. `height` is that of the source ledger at which the packet was proved, and
    0 when it comes back.
    """

    source_client: str
    dest_client: str
    sequence: int
    payload: Payload
    relayer: Account
    height: int


class PacketApplication(Protocol):
    """An application. Its gateway makes these calls, nobody else; they check that.

    By refusing (`CallRefused`) it undoes what it did. While it receives, ``NotYet`` leaves the
    packet undelivered, so that anyone may try again until it times out, and every other reason
    becomes the universal error acknowledgement.
    """

    @property
    def account(self) -> Account:
        """The account that it goes by."""

    def receive(self, call: Execution, context: PacketContext) -> bytes:
        """Handle a delivered payload, and give the acknowledgement.

        It is not the universal error acknowledgement, and empty only in a packet of one payload,
        when the application will call `PacketGateway.write_acknowledgement`.
        """

    def acknowledge(self, call: Execution, context: PacketContext, acknowledgement: bytes) -> None:
        """Handle the other side's acknowledgement of a payload that this application sent."""

    def time_out(self, call: Execution, context: PacketContext) -> None:
        """Handle the proof that a payload that this application sent was not received in time."""


_PORTS: Final[Table[tuple[str], bytes]] = Table("gateway/ports", bytes)


class Applications:
    """The applications that there are on a ledger, and the ports that they have at its gateway."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self._installed: dict[Account, PacketApplication] = {}

    def install(self, application: PacketApplication) -> None:
        """Let an application be added to ports; when the deployment is put together."""
        self._installed[application.account] = application

    def add(self, call: Execution, port: str, account: Account) -> None:
        """Give a port to an application. Administrators only."""
        self._authority.check(call, AuthorityRole.ADMINISTRATOR)
        require(is_port(port), "InvalidPort", port=port)
        require(account in self._installed, "InvalidApplication", application=account)
        require(_PORTS.get(call.state, (port,)) is None, "PortTaken", port=port)
        _PORTS.put(call.state, (port,), account)
        call.emit(ApplicationAdded(port, account))

    def account_at(self, state: State, port: str) -> Account | None:
        """Give the account of a port's application, or None."""
        found = _PORTS.get(state, (port,))
        return None if found is None else Account(found)

    def at(self, state: State, port: str) -> PacketApplication:
        """Give a port's application; refuses ``UnknownPort``."""
        account = self.account_at(state, port)
        if account is None:
            refuse("UnknownPort")
        return self._installed[account]
