"""The ledger port: what every ledger family offers, in words that name no family.

Roles (custodians, validators, relayers, workers, publishers and consumers) know this package and
never an adapter; a facet is a module. Reads take ``at``: `NEWEST`, `FINAL`, or `Exactly` a height.
Writes come in two halves: a facet builds a `Call`, which has no effect, and `Ledger.submit` sends
it. Between the two the signed transaction can be written down (`Outbox`), so that a process killed
anywhere sends it once.

All heights are block numbers, all times seconds since the epoch, all amounts (`Money`) of one asset
in its smallest unit, all accounts (`Account`) of one ledger.
"""

from caimi.ledgers.port.accounts import (
    Account,
    AccountCodec,
    ContractAccounts,
    account_named,
    name_of,
)
from caimi.ledgers.port.administration import (
    BY_COMMITTEE,
    Administered,
    Administration,
    Drafts,
    LedgerPlace,
    LedgerPlan,
    PlannedStep,
    RouteEnd,
    Upgrading,
)
from caimi.ledgers.port.blocks import Block, LedgerId
from caimi.ledgers.port.bridge import Allowance, Bridge, Lock
from caimi.ledgers.port.calls import Call, Done, Outbox, SignedCall
from caimi.ledgers.port.clients import (
    CHOSEN_KINDS,
    COMMITTEE,
    COMPOSITE,
    ENDORSED_READS,
    MAX_CLIENTS,
    MAX_DEPTH,
    OPTIMISTIC,
    STORAGE_PROOF,
    Claim,
    ClientTerms,
    LightClient,
    LightClients,
    ReadEndorsers,
    kind_name,
)
from caimi.ledgers.port.clocks import StandingClock
from caimi.ledgers.port.coins import Coins, IssuedCoins
from caimi.ledgers.port.facts import (
    EVERY_KIND,
    MODEL_KINDS,
    AnchoredPublications,
    AnchoredReceipts,
    ApprovedMover,
    ArrivedModel,
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
    ModelFact,
    OpenedPurchase,
    PublishedVersion,
    ReceivedModel,
    RefundedPurchase,
    RefundedTransfer,
    RegisteredModel,
    RevokedLicence,
    SentModel,
    UnlockedModel,
)
from caimi.ledgers.port.family import Certified, Family, Locating
from caimi.ledgers.port.feed import BlockFacts, ToldFact
from caimi.ledgers.port.fees import RelayFee, RelayFees
from caimi.ledgers.port.gateway import (
    Committee,
    Delivery,
    Ending,
    Gateway,
    Route,
    SentPacket,
    WrittenAcknowledgement,
)
from caimi.ledgers.port.heights import FINAL, NEWEST, At, Exactly
from caimi.ledgers.port.key_files import KeyFiles, StoredKey
from caimi.ledgers.port.keys import AttestationKey, Signer, Wallet
from caimi.ledgers.port.ledger import Ledger
from caimi.ledgers.port.market import Licence, Market, Price, Purchase, PurchaseState
from caimi.ledgers.port.money import Asset, Money
from caimi.ledgers.port.offers import offered
from caimi.ledgers.port.receipts import ReceiptLog
from caimi.ledgers.port.registry import (
    AliasChange,
    ForeignModel,
    HistoryEntry,
    HomeStatement,
    ModelRecord,
    Publication,
    PublicationBatch,
    Registry,
    VersionRecord,
)
from caimi.ledgers.port.sandbox import LastingKind, LedgerService, Sandbox, SandboxKind
from caimi.ledgers.port.statements import (
    FieldType,
    Statement,
    StatementDomain,
    StatementType,
)
from caimi.ledgers.port.tokens import Tokens
from caimi.ledgers.port.watching import Watching

__all__ = [
    "BY_COMMITTEE",
    "CHOSEN_KINDS",
    "COMMITTEE",
    "COMPOSITE",
    "ENDORSED_READS",
    "EVERY_KIND",
    "FINAL",
    "MAX_CLIENTS",
    "MAX_DEPTH",
    "MODEL_KINDS",
    "NEWEST",
    "OPTIMISTIC",
    "STORAGE_PROOF",
    "Account",
    "AccountCodec",
    "Administered",
    "Administration",
    "AliasChange",
    "Allowance",
    "AnchoredPublications",
    "AnchoredReceipts",
    "ApprovedMover",
    "ArrivedModel",
    "Asset",
    "At",
    "AttestationKey",
    "Block",
    "BlockFacts",
    "Bridge",
    "Call",
    "ChangedAlias",
    "ChangedOwner",
    "ChangedPrices",
    "Claim",
    "ClientTerms",
    "Certified",
    "Coins",
    "Upgrading",
    "IssuedCoins",
    "Committee",
    "CompletedPurchase",
    "CompletedTransfer",
    "ContractAccounts",
    "DeferredPacket",
    "Delivery",
    "DepartedModel",
    "DeprecatedVersion",
    "Done",
    "Drafts",
    "EndedPacket",
    "Ending",
    "Exactly",
    "Fact",
    "FactKind",
    "Family",
    "FieldType",
    "ForeignModel",
    "Gateway",
    "GrantedLicence",
    "HistoryEntry",
    "HomeStatement",
    "KeyFiles",
    "LastingKind",
    "Ledger",
    "LedgerId",
    "LedgerPlace",
    "LedgerPlan",
    "LedgerService",
    "Licence",
    "LightClient",
    "LightClients",
    "Locating",
    "Lock",
    "Market",
    "ModelFact",
    "ModelRecord",
    "Money",
    "OpenedPurchase",
    "Outbox",
    "PlannedStep",
    "Price",
    "Publication",
    "PublicationBatch",
    "PublishedVersion",
    "Purchase",
    "PurchaseState",
    "ReadEndorsers",
    "ReceiptLog",
    "ReceivedModel",
    "RefundedPurchase",
    "RefundedTransfer",
    "RegisteredModel",
    "Registry",
    "RelayFee",
    "RelayFees",
    "RevokedLicence",
    "Route",
    "RouteEnd",
    "Sandbox",
    "SandboxKind",
    "SentModel",
    "SentPacket",
    "SignedCall",
    "Signer",
    "StandingClock",
    "Statement",
    "StatementDomain",
    "StatementType",
    "StoredKey",
    "ToldFact",
    "Tokens",
    "UnlockedModel",
    "VersionRecord",
    "Wallet",
    "Watching",
    "WrittenAcknowledgement",
    "account_named",
    "kind_name",
    "name_of",
    "offered",
]
