"""What can be done on such a ledger, by name: each act takes what its contract's method takes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Final, get_type_hints

from caimi.contracts.bridge import ModelBridge
from caimi.contracts.committee_client import CommitteeClient
from caimi.contracts.committee_clients import CommitteeClients
from caimi.contracts.committees import KnownCommittee
from caimi.contracts.deployment import Contracts
from caimi.contracts.ending import PacketEnding
from caimi.contracts.execution import Execution, refuse
from caimi.contracts.identifiers import Account
from caimi.contracts.licences import Licences
from caimi.contracts.market import LicenceMarket
from caimi.contracts.ownership import Ownership
from caimi.contracts.publications import PublicationBatches
from caimi.contracts.receipts import ReceiptAnchors
from caimi.contracts.receiving import PacketReceiving
from caimi.contracts.registry import ModelRegistry
from caimi.contracts.routes import Routes
from caimi.ledgers.machine.typed import fitted
from caimi.ledgers.machine.values import Value


@dataclass(frozen=True)
class Act:
    """One act: what `method` finds among a ledger's contracts, and `like` says the types of.

    It takes what follows the execution among the parameters.
    """

    like: Callable[..., object]
    method: Callable[[Contracts], Callable[..., object]]

    @cached_property
    def takes(self) -> tuple[object, ...]:
        """The types of its arguments, in order."""
        names = list(inspect.signature(self.like).parameters)
        hints = get_type_hints(self.like)
        return tuple(hints[name] for name in names[names.index("call") + 1 :])

    def do(self, contracts: Contracts, call: Execution, arguments: tuple[Value, ...]) -> object:
        """Do it.

        Raises:
            CallRefused: the rules do not allow it, or it does not take such arguments.
        """
        try:
            given = fitted(tuple[self.takes], arguments)  # type: ignore[name-defined]
        except ValueError as error:
            refuse("MalformedArguments", detail=str(error))
        return self.method(contracts)(call, *given)


def own_act(method: Callable[..., object]) -> Act:
    """Give the act that a method of no contract of CAIMI's is."""
    return Act(method, lambda _: method)


def _rotate(
    contracts: Contracts,
    call: Execution,
    account: Account,
    following: tuple[int, Sequence[bytes], bytes],
    signers: int,
    signatures: bytes,
) -> None:
    _client(contracts, call, account).rotate(call, following, signers, signatures)


def _report_conflict(
    contracts: Contracts, call: Execution, account: Account, first: bytes, second: bytes
) -> None:
    _client(contracts, call, account).report_conflict(call, first, second)


def _client(contracts: Contracts, call: Execution, account: Account) -> CommitteeClient:
    client = contracts.clients.find(call.state, account)
    if client is None:
        refuse("InvalidLightClient", client=account)
    return client


def _add_client(
    contracts: Contracts, call: Execution, account: Account, gateway: bytes, known: KnownCommittee
) -> Account:
    return contracts.clients.add(call, account, gateway, known).account


ACTS: Final[Mapping[str, Act]] = {
    "publish": Act(ModelRegistry.publish, lambda c: c.registry.publish),
    "publish version": Act(ModelRegistry.publish_version, lambda c: c.registry.publish_version),
    "set alias": Act(ModelRegistry.set_alias, lambda c: c.registry.set_alias),
    "deprecate": Act(ModelRegistry.deprecate, lambda c: c.registry.deprecate),
    "transfer": Act(Ownership.transfer, lambda c: c.registry.ownership.transfer),
    "approve": Act(Ownership.approve, lambda c: c.registry.ownership.approve),
    "anchor batch": Act(PublicationBatches.anchor, lambda c: c.registry.publications.anchor),
    "publish from batch": Act(
        ModelRegistry.publish_from_batch, lambda c: c.registry.publish_from_batch
    ),
    "set prices": Act(LicenceMarket.set_prices, lambda c: c.market.set_prices),
    "buy": Act(LicenceMarket.buy, lambda c: c.market.buy),
    "buy remote": Act(LicenceMarket.buy_remote, lambda c: c.market.buy_remote),
    "withdraw": Act(LicenceMarket.withdraw, lambda c: c.market.withdraw),
    "grant": Act(Licences.grant, lambda c: c.market.licences.grant),
    "revoke": Act(Licences.revoke, lambda c: c.market.licences.revoke),
    "send": Act(ModelBridge.send, lambda c: c.bridge.send),
    "receive": Act(PacketReceiving.receive, lambda c: c.gateway.receive),
    "acknowledge": Act(PacketEnding.acknowledge, lambda c: c.gateway.acknowledge),
    "time out": Act(PacketEnding.time_out, lambda c: c.gateway.time_out),
    "anchor receipts": Act(ReceiptAnchors.anchor, lambda c: c.receipts.anchor),
    "rotate": Act(_rotate, lambda c: partial(_rotate, c)),
    "report conflict": Act(_report_conflict, lambda c: partial(_report_conflict, c)),
    "add client": Act(CommitteeClients.add, lambda c: partial(_add_client, c)),
    "add route": Act(Routes.add, lambda c: c.gateway.routes.add),
    "set counterparty": Act(Routes.set_counterparty, lambda c: c.gateway.routes.set_counterparty),
    "recover client": Act(Routes.recover, lambda c: c.gateway.routes.recover),
}
"""What every such ledger can do; a family may add its own."""
