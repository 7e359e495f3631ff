"""What happens on a ledger, as typed facts: one closed union that every family tells in.

Accounts are of the ledger that tells, None where there is nobody; ids have 32 bytes. What is said
of accounts elsewhere is given in bytes as it is: anybody can have written it, and it may be of a
kind that nobody here knows. Where a fact came about is said by what carries it (`feed.ToldFact`,
`feed.BlockFacts`); packets and fees say it as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias, get_args

from caimi.ledgers.port.accounts import Account
from caimi.ledgers.port.fees import RelayFee
from caimi.ledgers.port.gateway import SentPacket, WrittenAcknowledgement
from caimi.ledgers.port.market import Price
from caimi.ledgers.port.money import Money


@dataclass(frozen=True, slots=True)
class DeferredPacket:
    """A packet was received, and its acknowledgement is written later."""

    dest_client: str
    sequence: int


@dataclass(frozen=True, slots=True)
class EndedPacket:
    """A packet ended on the ledger that sent it: acknowledged, or else timed out."""

    source_client: str
    sequence: int
    acknowledged: bool


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """A model was published for the first time."""

    model_id: bytes
    publisher: Account
    name: str


@dataclass(frozen=True, slots=True)
class PublishedVersion:
    """A version was published, by the model's owner at that time."""

    model_id: bytes
    publisher: Account
    version: str
    manifest: bytes


@dataclass(frozen=True, slots=True)
class ChangedAlias:
    """An alias means a version from now on."""

    model_id: bytes
    name: str
    version: str


@dataclass(frozen=True, slots=True)
class DeprecatedVersion:
    """A version should not be used any more. `reason` is its owner's text, whatever it says."""

    model_id: bytes
    version: str
    reason: str


@dataclass(frozen=True, slots=True)
class ChangedOwner:
    """A model went from one holder to another; nobody where it came to be here or ceased to."""

    model_id: bytes
    sender: Account | None
    recipient: Account | None


@dataclass(frozen=True, slots=True)
class ApprovedMover:
    """A model's owner lets one account move it; nobody takes that back."""

    model_id: bytes
    owner: Account
    approved: Account | None


@dataclass(frozen=True, slots=True)
class ArrivedModel:
    """A model of another ledger is here now; `home` is its registry (ERC-7930)."""

    model_id: bytes
    home: bytes
    recipient: Account


@dataclass(frozen=True, slots=True)
class DepartedModel:
    """A model of another ledger is here no more."""

    model_id: bytes


@dataclass(frozen=True, slots=True)
class AnchoredPublications:
    """A root over `count` publications was anchored."""

    batch_id: int
    anchorer: Account
    root: bytes
    count: int


@dataclass(frozen=True, slots=True)
class AnchoredReceipts:
    """A root over `count` receipts was anchored: the worker's `index`-th, from 0."""

    worker: Account
    index: int
    root: bytes
    count: int


@dataclass(frozen=True, slots=True)
class ChangedPrices:
    """A seller set or withdrew prices, which count while the seller holds the model.

    Those that are to be paid on a ledger of a kind that nobody here knows are left out.
    """

    model_id: bytes
    seller: Account
    prices: tuple[Price, ...]


@dataclass(frozen=True, slots=True)
class GrantedLicence:
    """A consumer may use a version; `payee` is empty where nothing was paid. Both are ERC-7930."""

    licence_id: bytes
    model_id: bytes
    version: str
    consumer: bytes
    payee: bytes


@dataclass(frozen=True, slots=True)
class RevokedLicence:
    """Custodians honour a licence no more."""

    licence_id: bytes


@dataclass(frozen=True, slots=True)
class OpenedPurchase:
    """A purchase goes over a route, and its money is held; the licence is for the reader."""

    purchase_id: bytes
    model_id: bytes
    buyer: Account
    reader: Account
    version: str
    client_id: str
    sequence: int
    paid: Money


@dataclass(frozen=True, slots=True)
class CompletedPurchase:
    """A purchase ended: the licence is given, and the payee is owed."""

    purchase_id: bytes
    licence_id: bytes
    payee: Account


@dataclass(frozen=True, slots=True)
class RefundedPurchase:
    """A purchase ended: the buyer is owed."""

    purchase_id: bytes
    buyer: Account


@dataclass(frozen=True, slots=True)
class SentModel:
    """A model left for `recipient`, in the other ledger's own bytes."""

    model_id: bytes
    client_id: str
    sequence: int
    sender: Account
    recipient: bytes


@dataclass(frozen=True, slots=True)
class ReceivedModel:
    """A model arrived, or came back."""

    model_id: bytes
    client_id: str
    sequence: int
    recipient: Account


@dataclass(frozen=True, slots=True)
class CompletedTransfer:
    """The other side has taken a model."""

    model_id: bytes
    client_id: str
    sequence: int


@dataclass(frozen=True, slots=True)
class RefundedTransfer:
    """A model that was not taken is its sender's again."""

    model_id: bytes
    client_id: str
    sequence: int
    recipient: Account


@dataclass(frozen=True, slots=True)
class UnlockedModel:
    """A model that was locked towards a ledger that died was given back."""

    model_id: bytes
    client_id: str
    recipient: Account


ModelFact: TypeAlias = (
    RegisteredModel
    | PublishedVersion
    | ChangedAlias
    | DeprecatedVersion
    | ChangedOwner
    | ApprovedMover
    | ArrivedModel
    | DepartedModel
    | ChangedPrices
    | GrantedLicence
    | RevokedLicence
    | OpenedPurchase
    | CompletedPurchase
    | RefundedPurchase
    | SentModel
    | ReceivedModel
    | CompletedTransfer
    | RefundedTransfer
    | UnlockedModel
)
"""What concerns one model, or a licence or a purchase of one."""
Fact: TypeAlias = (
    ModelFact
    | SentPacket
    | WrittenAcknowledgement
    | DeferredPacket
    | EndedPacket
    | RelayFee
    | AnchoredPublications
    | AnchoredReceipts
)
FactKind: TypeAlias = type[Fact]
MODEL_KINDS: Final[frozenset[FactKind]] = frozenset(get_args(ModelFact))
EVERY_KIND: Final[frozenset[FactKind]] = frozenset(get_args(Fact))
