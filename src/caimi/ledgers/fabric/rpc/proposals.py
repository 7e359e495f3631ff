"""What is proposed to peers: a chaincode's function with arguments, signed, under its own id."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from caimi.ledgers.fabric.msp.identity import MspSigner, fresh_nonce
from caimi.ledgers.fabric.protos.common.common_pb2 import (
    ENDORSER_TRANSACTION,
    ChannelHeader,
    Envelope,
    Header,
    Payload,
    SignatureHeader,
)
from caimi.ledgers.fabric.protos.peer.chaincode_pb2 import (
    ChaincodeID,
    ChaincodeInput,
    ChaincodeInvocationSpec,
    ChaincodeSpec,
)
from caimi.ledgers.fabric.protos.peer.proposal_pb2 import (
    ChaincodeHeaderExtension,
    ChaincodeProposalPayload,
    Proposal,
    SignedProposal,
)


@dataclass(frozen=True, slots=True)
class ChaincodeCallArguments:
    """Which chaincode is called on which channel, with what; the first argument is the function.

    The channel of what concerns a peer alone, such as joining one, is empty.
    """

    channel: str
    chaincode: str
    arguments: Sequence[bytes]
    transient: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ProposedCall:
    """A proposal and the id that its transaction has."""

    transaction: str
    proposal: SignedProposal


def transaction_id(nonce: bytes, creator: bytes) -> str:
    """Give a transaction's id: the hash of its nonce and of who creates it."""
    return hashlib.sha256(nonce + creator).hexdigest()


def propose(signer: MspSigner, call: ChaincodeCallArguments) -> ProposedCall:
    """Sign a call, under a fresh id."""
    nonce = fresh_nonce()
    transaction = transaction_id(nonce, signer.encoded)
    name = ChaincodeID(name=call.chaincode)
    channel_header = ChannelHeader(
        type=ENDORSER_TRANSACTION,
        channel_id=call.channel,
        tx_id=transaction,
        extension=ChaincodeHeaderExtension(chaincode_id=name).SerializeToString(),
    )
    channel_header.timestamp.GetCurrentTime()
    header = Header(
        channel_header=channel_header.SerializeToString(),
        signature_header=SignatureHeader(creator=signer.encoded, nonce=nonce).SerializeToString(),
    )
    spec = ChaincodeSpec(
        type=ChaincodeSpec.Type.Value("CAR"),  # not used: chaincode is started elsewhere
        chaincode_id=name,
        input=ChaincodeInput(args=list(call.arguments)),
    )
    payload = ChaincodeProposalPayload(
        input=ChaincodeInvocationSpec(chaincode_spec=spec).SerializeToString(),
        TransientMap=dict(call.transient),
    )
    encoded = Proposal(
        header=header.SerializeToString(), payload=payload.SerializeToString()
    ).SerializeToString()
    signed = SignedProposal(proposal_bytes=encoded, signature=signer.sign(encoded))
    return ProposedCall(transaction, signed)


def signed_envelope(signer: MspSigner, channel_header: ChannelHeader, data: bytes) -> Envelope:
    """Put data under a header into an envelope of the signer's."""
    header = Header(
        channel_header=channel_header.SerializeToString(),
        signature_header=SignatureHeader(
            creator=signer.encoded, nonce=fresh_nonce()
        ).SerializeToString(),
    )
    payload = Payload(header=header, data=data).SerializeToString()
    return Envelope(payload=payload, signature=signer.sign(payload))
