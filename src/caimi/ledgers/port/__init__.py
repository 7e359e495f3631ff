"""The ledger port: what every ledger family offers, in words that name no family.

Roles (custodians, validators, relayers, workers, publishers and consumers) know this package and
never an adapter; a facet is a module. Reads take ``at``: `NEWEST`, `FINAL`, or `Exactly` a height.
Writes come in two halves: a facet builds a `Call`, which has no effect, and `Ledger.submit` sends
it. Between the two the signed transaction can be written down (`Outbox`), so that a process killed
anywhere sends it once.

All heights are block numbers, all times seconds since the epoch, all amounts the smallest unit,
all accounts (`Account`) of one ledger.
"""

from caimi.ledgers.port.accounts import Account, AccountCodec, ContractAccounts
from caimi.ledgers.port.blocks import Block, LedgerId
from caimi.ledgers.port.bridge import Allowance, Bridge, Lock
from caimi.ledgers.port.calls import Call, Done, Outbox, SignedCall
from caimi.ledgers.port.clients import (
    COMMITTEE,
    COMPOSITE,
    MAX_CLIENTS,
    MAX_DEPTH,
    OPTIMISTIC,
    STORAGE_PROOF,
    Claim,
    LightClient,
    LightClients,
)
from caimi.ledgers.port.family import Family
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
from caimi.ledgers.port.keys import AttestationKey, Signer
from caimi.ledgers.port.ledger import Ledger
from caimi.ledgers.port.market import Licence, Market, Price, Purchase, PurchaseState
from caimi.ledgers.port.offers import offered
from caimi.ledgers.port.receipts import ReceiptLog
from caimi.ledgers.port.registry import (
    AliasChange,
    ForeignModel,
    HistoryEntry,
    ModelRecord,
    Publication,
    PublicationBatch,
    Registry,
    Statement,
    VersionRecord,
)
from caimi.ledgers.port.watching import Watching

__all__ = [
    "FINAL",
    "NEWEST",
    "Account",
    "AccountCodec",
    "At",
    "AttestationKey",
    "Exactly",
    "AliasChange",
    "Allowance",
    "Block",
    "Bridge",
    "COMMITTEE",
    "COMPOSITE",
    "Call",
    "Claim",
    "Committee",
    "ContractAccounts",
    "Delivery",
    "Done",
    "Ending",
    "Family",
    "ForeignModel",
    "Gateway",
    "HistoryEntry",
    "Ledger",
    "LedgerId",
    "Licence",
    "LightClient",
    "LightClients",
    "Lock",
    "MAX_CLIENTS",
    "MAX_DEPTH",
    "Market",
    "ModelRecord",
    "OPTIMISTIC",
    "Outbox",
    "Price",
    "Publication",
    "PublicationBatch",
    "Purchase",
    "PurchaseState",
    "ReceiptLog",
    "Registry",
    "RelayFee",
    "RelayFees",
    "Route",
    "STORAGE_PROOF",
    "SentPacket",
    "SignedCall",
    "Signer",
    "Statement",
    "VersionRecord",
    "Watching",
    "WrittenAcknowledgement",
    "offered",
]
