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
from caimi.contracts.ownership import OwnershipApproved, OwnershipMoved
from caimi.contracts.publications import BatchAnchored
from caimi.contracts.receipts import ReceiptsAnchored
from caimi.contracts.receiving import AcknowledgementDeferred, AcknowledgementWritten
from caimi.contracts.registry import AliasSet, ModelRegistered, VersionDeprecated, VersionPublished
from caimi.contracts.sending import PacketSent
from caimi.contracts.transfers import ModelTransfer
from caimi.contracts.visitors import VisitorBurned, VisitorMinted
from caimi.ledgers.port import (
    AnchoredPublications,
    AnchoredReceipts,
    ApprovedMover,
    ArrivedModel,
    ChangedAlias,
    ChangedOwner,
    CompletedTransfer,
    DeferredPacket,
    DepartedModel,
    DeprecatedVersion,
    EndedPacket,
    Fact,
    GrantedLicence,
    PublishedVersion,
    ReceivedModel,
    RefundedTransfer,
    RegisteredModel,
    RevokedLicence,
    SentModel,
    SentPacket,
    UnlockedModel,
    WrittenAcknowledgement,
)


def sent_packet(told: PacketSent, tx: str, height: int) -> SentPacket:
    ready = 0
    for payload in told.packet.payloads:
        if payload.source_port == "model":
            transfer = ModelTransfer.decode(payload.value)
            ready = transfer.sent_at + transfer.min_depth if transfer.min_depth else 0
    return SentPacket(told.packet, tx, height, ready)


def written_acknowledgement(
    told: AcknowledgementWritten, tx: str, height: int
) -> WrittenAcknowledgement:
    return WrittenAcknowledgement(told.client_id, told.sequence, told.acknowledgements, tx, height)


_FACTS: Mapping[type[Effect], Callable[[Any, str, int], Fact]] = {
    PacketSent: sent_packet,
    AcknowledgementWritten: written_acknowledgement,
    AcknowledgementDeferred: lambda e, *_: DeferredPacket(e.client_id, e.sequence),
    PacketAcknowledged: lambda e, *_: EndedPacket(e.client_id, e.sequence, True),
    PacketTimedOut: lambda e, *_: EndedPacket(e.client_id, e.sequence, False),
    ModelRegistered: lambda e, *_: RegisteredModel(e.token, e.publisher, e.name),
    VersionPublished: lambda e, *_: PublishedVersion(e.token, e.publisher, e.version, e.manifest),
    AliasSet: lambda e, *_: ChangedAlias(e.token, e.name, e.version),
    VersionDeprecated: lambda e, *_: DeprecatedVersion(e.token, e.version, e.reason),
    OwnershipMoved: lambda e, *_: ChangedOwner(e.token, e.sender, e.recipient),
    OwnershipApproved: lambda e, *_: ApprovedMover(e.token, e.owner, e.approved),
    VisitorMinted: lambda e, *_: ArrivedModel(e.token, e.home, e.to),
    VisitorBurned: lambda e, *_: DepartedModel(e.token),
    BatchAnchored: lambda e, *_: AnchoredPublications(e.batch, e.anchorer, e.root, e.count),
    ReceiptsAnchored: lambda e, *_: AnchoredReceipts(e.worker, e.index, e.root, e.count),
    LicenceGranted: lambda e, *_: GrantedLicence(
        e.licence, e.token, e.version, e.consumer, e.payee
    ),
    LicenceRevoked: lambda e, *_: RevokedLicence(e.licence),
    ModelSent: lambda e, *_: SentModel(e.token, e.client_id, e.sequence, e.sender, e.recipient),
    ModelReceived: lambda e, *_: ReceivedModel(e.token, e.client_id, e.sequence, e.recipient),
    TransferCompleted: lambda e, *_: CompletedTransfer(e.token, e.client_id, e.sequence),
    TransferReturned: lambda e, *_: RefundedTransfer(e.token, e.client_id, e.sequence, e.to),
    DeadUnlocked: lambda e, *_: UnlockedModel(e.token, e.client_id, e.to),
}


def fact_of(effect: Effect, tx: str, height: int) -> Fact | None:
    """Give the fact that an effect is, if it is one."""
    make = _FACTS.get(type(effect))
    return None if make is None else make(effect, tx, height)
