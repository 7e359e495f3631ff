"""What the contracts' effects say as the port's facts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from caimi.contracts.bridge_effects import (
    DeadUnlocked,
    ModelReceived,
    ModelSent,
    TransferCompleted,
    TransferReturned,
)
from caimi.contracts.ending import PacketAcknowledged, PacketTimedOut
from caimi.contracts.execution import Effect
from caimi.contracts.licences import LicenceGranted, LicenceRevoked
from caimi.contracts.offers import LicencePrice, PricesSet
from caimi.contracts.ownership import OwnershipApproved, OwnershipMoved
from caimi.contracts.publications import BatchAnchored
from caimi.contracts.purchases import PurchaseCompleted, PurchaseOpened, PurchaseReturned
from caimi.contracts.receipts import ReceiptsAnchored
from caimi.contracts.receiving import AcknowledgementDeferred, AcknowledgementWritten
from caimi.contracts.registry import AliasSet, ModelRegistered, VersionDeprecated, VersionPublished
from caimi.contracts.sending import PacketSent
from caimi.contracts.transfers import ModelTransfer
from caimi.contracts.visitors import VisitorBurned, VisitorMinted
from caimi.errors.ids import InvalidInteroperableAddress, InvalidLedgerId
from caimi.ledgers.port import (
    Account,
    AnchoredPublications,
    AnchoredReceipts,
    ApprovedMover,
    ArrivedModel,
    Asset,
    ChangedAlias,
    ChangedOwner,
    ChangedPrices,
    CompletedPurchase,
    CompletedTransfer,
    DeferredPacket,
    DepartedModel,
    DeprecatedVersion,
    EndedPacket,
    Fact,
    GrantedLicence,
    LedgerId,
    OpenedPurchase,
    Price,
    PublishedVersion,
    ReceivedModel,
    RefundedPurchase,
    RefundedTransfer,
    RegisteredModel,
    RevokedLicence,
    SentModel,
    SentPacket,
    UnlockedModel,
    WrittenAcknowledgement,
)


def sent_packet(told: PacketSent, tx: str, height: int) -> SentPacket:
    """Give the port's record of a packet that was sent."""
    ready = 0
    for payload in told.packet.payloads:
        if payload.source_port == "model":
            transfer = ModelTransfer.decode(payload.value)
            ready = transfer.sent_at + transfer.min_depth if transfer.min_depth else 0
    return SentPacket(told.packet, tx, height, ready)


def written_acknowledgement(
    told: AcknowledgementWritten, tx: str, height: int
) -> WrittenAcknowledgement:
    """Give the port's record of an acknowledgement that was written."""
    return WrittenAcknowledgement(told.client_id, told.sequence, told.acknowledgements, tx, height)


def _price(told: LicencePrice) -> Price | None:
    try:
        payee = Account.from_interoperable(told.payee)
    except (InvalidLedgerId, InvalidInteroperableAddress):
        return None
    return Price(Asset(payee.ledger, told.asset).of(told.amount), payee, told.offered)


Named = Callable[[bytes], Account]
"""Gives the account of native bytes."""


def _any(named: Named, native: bytes) -> Account | None:
    return named(native) if native else None


_FACTS: Mapping[type[Effect], Callable[[Any, Named], Fact]] = {
    AcknowledgementDeferred: lambda e, a: DeferredPacket(e.client_id, e.sequence),
    PacketAcknowledged: lambda e, a: EndedPacket(e.client_id, e.sequence, True),
    PacketTimedOut: lambda e, a: EndedPacket(e.client_id, e.sequence, False),
    ModelRegistered: lambda e, a: RegisteredModel(e.token, a(e.publisher), e.name),
    VersionPublished: lambda e, a: PublishedVersion(e.token, a(e.publisher), e.version, e.manifest),
    AliasSet: lambda e, a: ChangedAlias(e.token, e.name, e.version),
    VersionDeprecated: lambda e, a: DeprecatedVersion(e.token, e.version, e.reason),
    OwnershipMoved: lambda e, a: ChangedOwner(e.token, _any(a, e.sender), _any(a, e.recipient)),
    OwnershipApproved: lambda e, a: ApprovedMover(e.token, a(e.owner), _any(a, e.approved)),
    VisitorMinted: lambda e, a: ArrivedModel(e.token, e.home, a(e.to)),
    VisitorBurned: lambda e, a: DepartedModel(e.token),
    BatchAnchored: lambda e, a: AnchoredPublications(e.batch, a(e.anchorer), e.root, e.count),
    ReceiptsAnchored: lambda e, a: AnchoredReceipts(a(e.worker), e.index, e.root, e.count),
    LicenceGranted: lambda e, a: GrantedLicence(e.licence, e.token, e.version, e.consumer, e.payee),
    PricesSet: lambda e, a: ChangedPrices(
        e.token, a(e.seller), tuple(price for each in e.prices if (price := _price(each)))
    ),
    PurchaseOpened: lambda e, a: OpenedPurchase(
        e.purchase,
        e.order[1],
        a(e.order[0]),
        a(e.order[2]),
        e.order[3],
        e.client_id,
        e.sequence,
        Asset(a(e.order[0]).ledger, e.paid[0]).of(e.paid[1]),
    ),
    PurchaseCompleted: lambda e, a: CompletedPurchase(e.purchase, e.licence, a(e.payee)),
    PurchaseReturned: lambda e, a: RefundedPurchase(e.purchase, a(e.buyer)),
    LicenceRevoked: lambda e, a: RevokedLicence(e.licence),
    ModelSent: lambda e, a: SentModel(e.token, e.client_id, e.sequence, a(e.sender), e.recipient),
    ModelReceived: lambda e, a: ReceivedModel(e.token, e.client_id, e.sequence, a(e.recipient)),
    TransferCompleted: lambda e, a: CompletedTransfer(e.token, e.client_id, e.sequence),
    TransferReturned: lambda e, a: RefundedTransfer(e.token, e.client_id, e.sequence, a(e.to)),
    DeadUnlocked: lambda e, a: UnlockedModel(e.token, e.client_id, a(e.to)),
}


def fact_of(ledger: LedgerId, effect: Effect, tx: str, height: int) -> Fact | None:
    """Give the fact that an effect on a ledger is, if it is one."""
    if isinstance(effect, PacketSent):
        return sent_packet(effect, tx, height)
    if isinstance(effect, AcknowledgementWritten):
        return written_acknowledgement(effect, tx, height)
    make = _FACTS.get(type(effect))
    if make is None:
        return None
    return make(effect, lambda native: Account(ledger, native))
