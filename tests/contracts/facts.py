"""Effects beside the events of the Solidity contracts: which is which, and what is the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from caimi.contracts import accountant as acc
from caimi.contracts import applications as app
from caimi.contracts import bridge_effects as bridge
from caimi.contracts import committee_client as client
from caimi.contracts import (
    ending,
    licences,
    limits,
    offers,
    ownership,
    receipts,
    receiving,
    registry,
    routes,
    sending,
    treasury,
    visitors,
)
from caimi.contracts import publications as pub
from caimi.contracts import purchases as buy
from caimi.contracts.execution import Effect
from caimi.contracts.naming import version_id
from caimi.hashing import keccak256
from caimi.ibc.protobuf import encode_acknowledgements, encode_packet
from caimi.ledgers.evm.rpc.reverts import known_errors

Fact = tuple[str, tuple[Any, ...]]


UNREAD = ("", "Panic")
"""What Solidity's own decoder says when it cannot read at all; here that has a name."""


class Reason(str):
    """A refusal's name, which Solidity's events have as a revert's bytes."""


def fact_of(effect: Effect) -> Fact:
    """Give the event that says what an effect says."""
    return _FACTS[type(effect)](effect)


def same(ours: Any, theirs: Any) -> bool:
    """Whether two values say the same in the two worlds' types."""
    if isinstance(ours, Reason):
        return _same_reason(ours, theirs)
    if isinstance(theirs, bytes) and isinstance(ours, str):
        return keccak256(ours.encode()) == theirs or ours.encode() == theirs
    if isinstance(theirs, bytes) and isinstance(ours, bytes):
        return ours == theirs or (not ours and not any(theirs))
    if isinstance(theirs, int) and isinstance(ours, bytes):
        return int.from_bytes(ours) == theirs
    if isinstance(theirs, list | tuple):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    if ours is None:
        return not theirs
    return bool(ours == theirs)


def _same_reason(ours: Reason, theirs: bytes) -> bool:
    said = known_errors()[theirs[:4]].name if theirs else ""
    if said in UNREAD:
        return ours in ("", "InvalidTransfer", "InvalidPayload")
    return said == ours


def _plain(name: str, *fields: str) -> Callable[[Any], Fact]:
    return lambda effect: (name, tuple(getattr(effect, field) for field in fields))


def _limits(value: Any) -> tuple[int, ...]:
    return (
        value.count,
        value.count_per_day,
        value.max_amount,
        value.amount,
        value.amount_per_day,
    )


_OF_PACKET = ("client_id", "sequence")
_FACTS: dict[type[Effect], Callable[[Any], Fact]] = {
    receipts.ReceiptsAnchored: _plain("ReceiptsAnchored", "worker", "index", "root", "count"),
    ownership.OwnershipMoved: _plain("Transfer", "sender", "recipient", "token"),
    ownership.OwnershipApproved: _plain("Approval", "owner", "approved", "token"),
    ownership.OperatorApproved: _plain("ApprovalForAll", "owner", "operator", "approved"),
    pub.BatchAnchored: _plain("BatchAnchored", "batch", "anchorer", "root", "count"),
    registry.ModelRegistered: _plain("ModelRegistered", "token", "publisher", "name"),
    registry.VersionPublished: lambda e: (
        "VersionPublished",
        (e.token, version_id(e.version), e.publisher, e.version, e.manifest),
    ),
    registry.AliasSet: lambda e: ("AliasSet", (e.token, e.name, e.name, e.version)),
    registry.VersionDeprecated: lambda e: (
        "VersionDeprecated",
        (e.token, version_id(e.version), e.version, e.reason),
    ),
    visitors.VisitorMinted: _plain("ForeignModelMinted", "token", "home", "to"),
    visitors.VisitorBurned: _plain("ForeignModelBurned", "token"),
    sending.PacketSent: lambda e: (
        "PacketSent",
        (e.packet.source_client, e.packet.sequence, encode_packet(e.packet)),
    ),
    receiving.AcknowledgementWritten: lambda e: (
        "AcknowledgementWritten",
        (e.client_id, e.sequence, encode_acknowledgements(e.acknowledgements)),
    ),
    receiving.AcknowledgementDeferred: _plain("AcknowledgementDeferred", *_OF_PACKET),
    receiving.ReceiveFailed: lambda e: (
        "ReceiveFailed",
        (e.client_id, e.sequence, Reason(e.reason)),
    ),
    receiving.PacketSkipped: _plain("PacketSkipped", *_OF_PACKET),
    ending.PacketAcknowledged: _plain("PacketAcknowledged", *_OF_PACKET),
    ending.PacketTimedOut: _plain("PacketTimedOut", *_OF_PACKET),
    ending.CallbackFailed: lambda e: (
        "CallbackFailed",
        (e.client_id, e.sequence, Reason(e.reason)),
    ),
    routes.ClientAdded: _plain("ClientAdded", "client_id", "client", "ledger"),
    routes.CounterpartySet: _plain("CounterpartySet", "client_id", "counterparty"),
    routes.ClientRecovered: _plain("ClientRecovered", "client_id", "client"),
    routes.ClientMigrated: _plain("ClientMigrated", "client_id", "client", "previous_until"),
    routes.RoutePauseChanged: _plain("RoutePauseChanged", "client_id", "paused"),
    app.ApplicationAdded: _plain("ApplicationAdded", "port", "application"),
    client.CommitteeChanged: lambda e: (
        "CommitteeChanged",
        (
            e.committee.epoch,
            e.committee.hash,
            e.committee.threshold,
            e.committee.members,
            e.committee.operators,
        ),
    ),
    client.ClientFroze: _plain("Frozen", "reporter", "first", "second"),
    acc.SupplyCapSet: _plain("SupplyCapSet", "client_id", "cap"),
    limits.LimitsSet: lambda e: ("LimitsSet", (e.lane, e.receiving, _limits(e.limits))),
    limits.BreakerOpened: _plain("BreakerOpened", "lane"),
    limits.BreakerClosed: _plain("BreakerClosed", "lane"),
    bridge.ModelSent: _plain("ModelSent", "token", *_OF_PACKET, "sender", "recipient"),
    bridge.ModelReceived: _plain("ModelReceived", "token", *_OF_PACKET, "recipient"),
    bridge.TransferCompleted: _plain("TransferCompleted", "token", *_OF_PACKET),
    bridge.TransferReturned: _plain("TransferRefunded", "token", *_OF_PACKET, "to"),
    bridge.DeadUnlocked: _plain("DeadUnlocked", "token", "client_id", "to"),
    bridge.BridgePauseChanged: lambda e: ("Paused" if e.paused else "Unpaused", (e.by,)),
    offers.PricesSet: lambda e: (
        "PricesSet",
        (
            e.token,
            e.seller,
            [(each.payee, each.asset, each.amount, each.offered) for each in e.prices],
        ),
    ),
    licences.LicenceGranted: lambda e: (
        "LicenceGranted",
        (e.licence, e.token, version_id(e.version), e.consumer, e.payee, e.version),
    ),
    licences.LicenceRevoked: _plain("LicenceRevoked", "licence"),
    buy.PurchaseOpened: lambda e: (
        "PurchaseOpened",
        (e.purchase, *e.order, e.client_id, e.sequence, *e.paid),
    ),
    buy.PurchaseCompleted: _plain("PurchaseCompleted", "purchase", "licence", "payee"),
    buy.PurchaseReturned: _plain("PurchaseRefunded", "purchase", "buyer"),
    treasury.OwedWithdrawn: _plain("Withdrawn", "account", "currency", "amount", "to"),
    treasury.RelayDepositSet: _plain("RelayDepositSet", "amount"),
}
