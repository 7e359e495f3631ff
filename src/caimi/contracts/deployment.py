"""All contracts of one ledger, put together over its state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from caimi.contracts.authority import Authority
from caimi.contracts.bridge import ModelBridge
from caimi.contracts.committee_clients import CommitteeClients
from caimi.contracts.execution import Executed, Execution, execute, require
from caimi.contracts.gateway import PacketGateway
from caimi.contracts.identifiers import Account
from caimi.contracts.market import LicenceMarket
from caimi.contracts.packet_port import PacketPort
from caimi.contracts.receipts import ReceiptAnchors
from caimi.contracts.records import Table
from caimi.contracts.registry import ModelRegistry
from caimi.contracts.site import Accounts, Site
from caimi.contracts.treasury import HeldCoins, Treasury
from caimi.ibc.applications import LICENCE, MODEL

R = TypeVar("R")

_FOUNDED: Final[Table[tuple[()], bool]] = Table("deployment/founded", bool)


@dataclass(frozen=True, slots=True)
class Contracts:
    """The contracts of one ledger. They keep nothing themselves: all is in each call's state."""

    site: Site
    authority: Authority
    clients: CommitteeClients
    gateway: PacketGateway
    registry: ModelRegistry
    bridge: ModelBridge
    market: LicenceMarket
    receipts: ReceiptAnchors

    @classmethod
    def over(cls, site: Site, accounts: Accounts, coins: HeldCoins | None = None) -> Contracts:
        """Put the contracts of a ledger together; without `coins` its market grants only."""
        authority = Authority()
        clients = CommitteeClients(authority)
        gateway = PacketGateway(site, authority, clients)
        registry = ModelRegistry(site, accounts)
        moving = ModelBridge(PacketPort(site, gateway, MODEL), registry, accounts, authority)
        selling = LicenceMarket(
            PacketPort(site, gateway, LICENCE),
            registry,
            Treasury(site.market, accounts, authority, coins),
            accounts,
            authority,
        )
        gateway.applications.install(moving)
        gateway.applications.install(selling)
        receipts = ReceiptAnchors()
        return cls(site, authority, clients, gateway, registry, moving, selling, receipts)

    def run(self, call: Execution, act: Callable[[Execution], R]) -> Executed[R]:
        """Carry out what a user of the ledger asks for, whole or not at all.

        Nobody calls as one of the contracts: those speak among themselves by their accounts.
        """
        require(call.caller not in self.site.contracts, "ContractAccount", caller=call.caller)
        return execute(call, act)

    def found(self, call: Execution, administrator: Account, guardian: Account) -> None:
        """Begin: give the first roles, and the ports to their applications. Once."""
        require(_FOUNDED.get(call.state, ()) is None, "AlreadyFounded")
        _FOUNDED.put(call.state, (), True)
        self.authority.found(call, administrator, guardian)
        by = call.by(administrator)
        self.gateway.applications.add(by, MODEL.port, self.bridge.account)
        self.gateway.applications.add(by, LICENCE.port, self.market.account)
