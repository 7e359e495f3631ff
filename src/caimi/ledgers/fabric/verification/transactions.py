"""A transaction as a whole: its creator is a member, and whose endorsements it needs gave them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from caimi.errors.fabric import FabricAnswerInvalid
from caimi.ledgers.fabric.verification.configuration import ENDORSEMENT, ChannelConfiguration
from caimi.ledgers.fabric.verification.envelopes import (
    EndorsedOutcome,
    SignedPayload,
    read_outcome,
)
from caimi.ledgers.fabric.verification.policies import CheckedSigner, SignatureTree


@dataclass(frozen=True, slots=True)
class CheckedTransaction:
    """What a transaction did, who made it, and which peers say so."""

    id: str
    creator: CheckedSigner
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
        FabricSignatureInvalid: the creator or a peer did not sign it.
        FabricIdentityUnknown, FabricIdentityExpired, FabricIdentityRevoked,
        FabricIdentityInvalid: one of them is no member.
        FabricPolicyNotMet: too few peers endorsed it.
    """
    if signed.channel != configuration.channel:
        raise FabricAnswerInvalid(
            f"Transaction {signed.transaction} is on {signed.channel}, not {configuration.channel}."
        )
    creator = configuration.member(signed.check_creator(), at)
    outcome = read_outcome(signed)
    peers = tuple(configuration.member(each, at) for each in outcome.check_endorsements())
    what = f"Transaction {signed.transaction}"
    if isinstance(policy, str):
        configuration.require(policy, peers, what)
    else:
        configuration.require_signers(policy, peers, what)
    return CheckedTransaction(signed.transaction, creator, outcome, peers)
