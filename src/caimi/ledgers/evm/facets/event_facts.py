"""What the contracts' events say as the port's facts: one table, from which all readers decode."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from caimi.errors.ids import InvalidInteroperableAddress, InvalidLedgerId
from caimi.ibc.protobuf import decode_acknowledgements, decode_packet
from caimi.ledgers.evm.abi.assets import coin_of
from caimi.ledgers.evm.abi.codec import Value
from caimi.ledgers.evm.facets.voyages import ready_height
from caimi.ledgers.evm.rpc.contract import NO_ADDRESS
from caimi.ledgers.evm.rpc.logs import RawLog
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
    FactKind,
    GrantedLicence,
    OpenedPurchase,
    Price,
    PublishedVersion,
    ReceivedModel,
    RefundedPurchase,
    RefundedTransfer,
    RegisteredModel,
    RelayFee,
    RevokedLicence,
    SentModel,
    SentPacket,
    UnlockedModel,
    WrittenAcknowledgement,
)

Make = Callable[[Mapping[str, Value], str, RawLog], Fact]
"""Makes a fact of an event's values, the client that it names (empty for none) and its log.

Addresses among the values are accounts of the ledger.
"""


def _sent(v: Mapping[str, Value], client: str, log: RawLog) -> SentPacket:
    packet = decode_packet(v["packet"])
    return SentPacket(packet, log.tx, log.height, ready_height(packet))


def _written(v: Mapping[str, Value], client: str, log: RawLog) -> WrittenAcknowledgement:
    answers = decode_acknowledgements(v["acknowledgement"])
    return WrittenAcknowledgement(client, v["sequence"], answers, log.tx, log.height)


def _fee(v: Mapping[str, Value], client: str, log: RawLog) -> RelayFee:
    amount = coin_of(v["payer"].ledger).of(v["amount"])
    return RelayFee(
        client, v["sequence"], v["relayer"], v["payer"], amount, v["timeout"], log.height
    )


def _prices(v: Mapping[str, Value], client: str, log: RawLog) -> ChangedPrices:
    prices = [_price(*each) for each in v["prices"]]
    return ChangedPrices(v["modelId"], v["seller"], tuple(each for each in prices if each))


def _price(payee: bytes, asset: bytes, amount: int, offered: bool) -> Price | None:
    try:
        paid = Account.from_interoperable(payee)
    except (InvalidLedgerId, InvalidInteroperableAddress):
        return None
    return Price(Asset(paid.ledger, asset).of(amount), paid, offered)


def _purchase(v: Mapping[str, Value], client: str, log: RawLog) -> OpenedPurchase:
    return OpenedPurchase(
        v["purchaseId"],
        v["modelId"],
        v["buyer"],
        v["reader"],
        v["version"],
        v["clientId"],
        v["sequence"],
        _asset(v["currency"]).of(v["amount"]),
    )


def _asset(contract: Account) -> Asset:
    """Give an asset by its token's contract; nobody's is the coin."""
    return Asset(contract.ledger, b"" if _nobody(contract) is None else contract.native)


def _nobody(account: Account) -> Account | None:
    return None if account.native == NO_ADDRESS else account


EVENTS: Final[Mapping[str, Mapping[str, tuple[FactKind, Make]]]] = {
    "gateway": {
        "PacketSent": (SentPacket, _sent),
        "AcknowledgementWritten": (WrittenAcknowledgement, _written),
        "AcknowledgementDeferred": (
            DeferredPacket,
            lambda v, client, _: DeferredPacket(client, v["sequence"]),
        ),
        "PacketAcknowledged": (
            EndedPacket,
            lambda v, client, _: EndedPacket(client, v["sequence"], acknowledged=True),
        ),
        "PacketTimedOut": (
            EndedPacket,
            lambda v, client, _: EndedPacket(client, v["sequence"], acknowledged=False),
        ),
    },
    "registry": {
        "ModelRegistered": (
            RegisteredModel,
            lambda v, *_: RegisteredModel(v["modelId"], v["publisher"], v["name"]),
        ),
        "VersionPublished": (
            PublishedVersion,
            lambda v, *_: PublishedVersion(
                v["modelId"], v["publisher"], v["version"], v["manifest"]
            ),
        ),
        "AliasSet": (
            ChangedAlias,
            lambda v, *_: ChangedAlias(v["modelId"], v["name"], v["version"]),
        ),
        "VersionDeprecated": (
            DeprecatedVersion,
            lambda v, *_: DeprecatedVersion(v["modelId"], v["version"], v["reason"]),
        ),
        "Transfer": (
            ChangedOwner,
            lambda v, *_: ChangedOwner(v["tokenId"], _nobody(v["from"]), _nobody(v["to"])),
        ),
        "Approval": (
            ApprovedMover,
            lambda v, *_: ApprovedMover(v["tokenId"], v["owner"], _nobody(v["approved"])),
        ),
        "ForeignModelMinted": (
            ArrivedModel,
            lambda v, *_: ArrivedModel(v["modelId"], v["home"], v["to"]),
        ),
        "ForeignModelBurned": (DepartedModel, lambda v, *_: DepartedModel(v["modelId"])),
        "BatchAnchored": (
            AnchoredPublications,
            lambda v, *_: AnchoredPublications(v["batchId"], v["anchorer"], v["root"], v["count"]),
        ),
    },
    "market": {
        "PricesSet": (ChangedPrices, _prices),
        "PurchaseOpened": (OpenedPurchase, _purchase),
        "PurchaseCompleted": (
            CompletedPurchase,
            lambda v, *_: CompletedPurchase(v["purchaseId"], v["licenceId"], v["payee"]),
        ),
        "PurchaseRefunded": (
            RefundedPurchase,
            lambda v, *_: RefundedPurchase(v["purchaseId"], v["buyer"]),
        ),
        "LicenceGranted": (
            GrantedLicence,
            lambda v, *_: GrantedLicence(
                v["licenceId"], v["modelId"], v["version"], v["consumer"], v["payee"]
            ),
        ),
        "LicenceRevoked": (RevokedLicence, lambda v, *_: RevokedLicence(v["licenceId"])),
    },
    "bridge": {
        "ModelSent": (
            SentModel,
            lambda v, client, _: SentModel(
                v["modelId"], client, v["sequence"], v["sender"], v["recipient"]
            ),
        ),
        "ModelReceived": (
            ReceivedModel,
            lambda v, client, _: ReceivedModel(v["modelId"], client, v["sequence"], v["recipient"]),
        ),
        "TransferCompleted": (
            CompletedTransfer,
            lambda v, client, _: CompletedTransfer(v["modelId"], client, v["sequence"]),
        ),
        "TransferRefunded": (
            RefundedTransfer,
            lambda v, client, _: RefundedTransfer(v["modelId"], client, v["sequence"], v["to"]),
        ),
        "DeadUnlocked": (
            UnlockedModel,
            lambda v, client, _: UnlockedModel(v["modelId"], client, v["to"]),
        ),
    },
    "receipts": {
        "ReceiptsAnchored": (
            AnchoredReceipts,
            lambda v, *_: AnchoredReceipts(v["worker"], v["index"], v["root"], v["count"]),
        ),
    },
    "fees": {"FeeEscrowed": (RelayFee, _fee)},
}
"""By contract and event: which kind of fact it is, and how it is made."""
