"""Which of the port's errors stands for what a contract says when it refuses, by the rule's name.

A rule has one name on ledgers of every family, whether Solidity or `caimi.contracts` speaks.
"""

from __future__ import annotations

from typing import Final

from caimi.errors import ledgers as errors
from caimi.errors.ledgers import TransactionReverted

_GROUPS: Final[dict[type[TransactionReverted], tuple[str, ...]]] = {
    errors.AlreadyBought: (
        "AlreadyLicensed",
        "AlreadyPurchased",
    ),
    errors.AlreadyPublished: ("VersionExists",),
    errors.DeadlineRefused: (
        "InvalidTimeout",
        "TimeoutNotReached",
    ),
    errors.ModelAway: (
        "ERC721NonexistentToken",
        "ModelIsForeign",
        "ModelIsNotForeign",
        "NotHome",
    ),
    errors.NotAllowed: (
        "AccessControlUnauthorizedAccount",
        "AccessManagedUnauthorized",
        "AccessManagerUnauthorizedAccount",
        "ERC721IncorrectOwner",
        "ERC721InsufficientApproval",
        "ERC721InvalidApprover",
        "NotModelOwner",
    ),
    errors.PaymentRefused: (
        "PaymentMismatch",
        "SafeERC20FailedOperation",
        "WrongValue",
    ),
    errors.PriceChanged: ("PriceChanged",),
    errors.ProofRefused: (
        "ClientFrozen",
        "CommitteeExpired",
        "FutureTime",
        "HeaderTooLong",
        "HeaderTooShort",
        "IncompleteAbsence",
        "InvalidAccount",
        "InvalidCheckpoint",
        "InvalidHeaderMember",
        "InvalidLeaves",
        "InvalidMerkleProof",
        "InvalidNode",
        "InvalidSignature",
        "InvalidSignaturesLength",
        "MalformedProof",
        "MemberFrozen",
        "NodeMismatch",
        "NodesLeftOver",
        "NonCanonicalProof",
        "NotAccepted",
        "NotInBatch",
        "ProofTooLong",
        "RLPInvalidEncoding",
        "ReceiptsInMembership",
        "SlotNotEmpty",
        "TooFewSignatures",
        "TrieProofTraversalError",
        "UnknownCommittee",
        "UnknownSigner",
        "WrongKind",
        "WrongOrigin",
        "WrongProofCount",
        "WrongProofsGiven",
        "WrongReceiptKey",
        "WrongSlotValue",
    ),
    errors.RouteLimited: (
        "AmountOverCap",
        "RateExceeded",
        "ShareExceeded",
    ),
    errors.UnknownModel: ("UnknownModel",),
    errors.UnknownVersion: ("UnknownVersion",),
}
NAMED: Final = {name: kind for kind, names in _GROUPS.items() for name in names}
"""Refusals that callers tell apart; the others are plain `TransactionReverted`."""
