"""What every ledger behind the port must do, a facet a module, over a `Site` of any family.

A test class takes `LedgerConformance` and, by what its ledger has, one of each pair:
`SellingFacet` or `CoinlessFacet`, `PastFacet` or `NoPastFacet`, `FeesFacet` or `NoFeesFacet`,
`WatchingFacet` or `NoWatchingFacet`, `ContractAccountsFacet` or `KeyAccountsFacet`, `ForkingFacet`
or `NoForkFacet`, `ProofsFacet` or `NoProofsFacet`, `ReadsFacet` or `NoReadsFacet`. It gives two
fixtures: `site`, where the ledger is, and `far`, the site of another ledger, of another family if
there is one.
"""

from conformance.accounts import AccountsFacet, ContractAccountsFacet, KeyAccountsFacet
from conformance.anchoring import ReceiptsFacet
from conformance.blocks import BlocksFacet
from conformance.ending import EndingFacet
from conformance.feed import FeedFacet
from conformance.fees import FeesFacet, NoFeesFacet
from conformance.forking import ForkingFacet, NoForkFacet
from conformance.freezing import FreezingFacet
from conformance.granting import GrantingFacet
from conformance.halting import HaltingFacet
from conformance.killing import KillingFacet
from conformance.packets import PacketsFacet
from conformance.proving import NoProofsFacet, NoReadsFacet, ProofsFacet, ReadsFacet
from conformance.publications import PublicationsFacet
from conformance.reading import NoPastFacet, PastFacet, ReadingFacet
from conformance.registry import RegistryFacet
from conformance.selling import CoinlessFacet, SellingFacet
from conformance.statements import StatementsFacet
from conformance.submitting import SubmittingFacet
from conformance.voyages import VoyagesFacet
from conformance.watching import NoWatchingFacet, WatchingFacet

__all__ = [
    "CoinlessFacet",
    "ContractAccountsFacet",
    "FeesFacet",
    "ForkingFacet",
    "HaltingFacet",
    "KeyAccountsFacet",
    "LedgerConformance",
    "NoFeesFacet",
    "NoForkFacet",
    "NoPastFacet",
    "NoProofsFacet",
    "NoReadsFacet",
    "NoWatchingFacet",
    "PastFacet",
    "ProofsFacet",
    "ReadsFacet",
    "SellingFacet",
    "WatchingFacet",
]


class LedgerConformance(
    BlocksFacet,
    AccountsFacet,
    StatementsFacet,
    ReadingFacet,
    RegistryFacet,
    PublicationsFacet,
    GrantingFacet,
    ReceiptsFacet,
    SubmittingFacet,
    KillingFacet,
    PacketsFacet,
    EndingFacet,
    FreezingFacet,
    VoyagesFacet,
    FeedFacet,
    HaltingFacet,
):
    """What all ledgers do."""
