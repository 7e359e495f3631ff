"""A transaction as a whole: whose endorsements it needs gave them.

Whatever peers take for valid has to be so here, or who can send a transaction could stop every
reader: what counts for nothing to them is passed over, as they do (Go's
`policies.SignatureSetToValidIdentities`), and the policy has to be met without it. Who created it
peers looked at before they endorsed, and what they signed names the creator's proposal.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from caimi.errors.fabric import (
    FabricAnswerInvalid,
    FabricIdentityExpired,
    FabricIdentityInvalid,
    FabricIdentityRevoked,
    FabricIdentityUnknown,
    FabricSignatureInvalid,
)
from caimi.ledgers.fabric.msp.identity import MspIdentity
from caimi.ledgers.fabric.msp.signing import bare_signature
from caimi.ledgers.fabric.verification.configuration import ENDORSEMENT, ChannelConfiguration
from caimi.ledgers.fabric.verification.envelopes import (
    EndorsedOutcome,
    SignedPayload,
    read_outcome,
)
from caimi.ledgers.fabric.verification.policies import CheckedSigner, SignatureTree

_COUNTS_FOR_NOTHING: Final = (
    FabricIdentityInvalid,
    FabricIdentityUnknown,
    FabricIdentityExpired,
    FabricIdentityRevoked,
    FabricSignatureInvalid,
)


@dataclass(frozen=True, slots=True)
class CheckedTransaction:
    """What a transaction did, and which peers say so."""

    id: str
    outcome: EndorsedOutcome
    endorsers: tuple[CheckedSigner, ...]


def check_transaction(
    signed: SignedPayload,
    configuration: ChannelConfiguration,
    policy: SignatureTree | str = ENDORSEMENT,
    at: datetime | None = None,
) -> CheckedTransaction:
    """Check a transaction against its channel's configuration.

    `policy` is the chaincode's own, where its definition has one, or names one of the channel's.
    `at` is when certificates must be valid, where that is known. Whether it took effect no
    signature says: another may have changed first what it read.

    Raises:
        FabricAnswerInvalid: it is another channel's, or its parts do not belong together.
        FabricPolicyNotMet: too few peers endorsed it, that are members.
    """
    if signed.channel != configuration.channel:
        raise FabricAnswerInvalid(
            f"Transaction {signed.transaction} is on {signed.channel}, not {configuration.channel}."
        )
    outcome = read_outcome(signed)
    signed.check_id()
    peers = endorsers_of(outcome, configuration, at)
    what = f"Transaction {signed.transaction}"
    if isinstance(policy, str):
        configuration.require(policy, peers, what)
    else:
        configuration.require_signers(policy, peers, what)
    return CheckedTransaction(signed.transaction, outcome, peers)


def endorsers_of(
    outcome: EndorsedOutcome, configuration: ChannelConfiguration, at: datetime | None = None
) -> tuple[CheckedSigner, ...]:
    """Give the members that signed an outcome, each once, whatever else is among the endorsements.

    How many there may be the size of a block bounds.
    """
    found: dict[tuple[str, bytes], CheckedSigner] = {}
    for each in outcome.endorsements:
        try:
            peer = MspIdentity.read(each.endorser)
            if peer.holder in found:
                continue
            signer = configuration.member(peer, at)
            peer.check(bare_signature(each.signature), outcome.response + each.endorser)
        except _COUNTS_FOR_NOTHING:
            continue
        found[peer.holder] = signer
    return tuple(found.values())
