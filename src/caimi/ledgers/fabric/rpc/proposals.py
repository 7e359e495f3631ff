"""What is proposed to peers: a chaincode's function with arguments, signed, under its own id."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from caimi.errors.fabric import FabricAnswerInvalid
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
from caimi.ledgers.fabric.verification.envelopes import (
    EndorsedOutcome,
    read_outcome,
    unsigned_envelope,
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
    channel_header: bytes
    signature_header: bytes
    payload: bytes
    """As it is in the transaction: without what is transient."""

    def check(self, prepared: bytes, by: str) -> None:
        """See that the payload to be signed, which a peer has made, is of this call.

        Raises:
            FabricAnswerInvalid: it is another transaction's.
        """
        made = unsigned_envelope(Envelope(payload=prepared).SerializeToString())
        if (
            made.channel_header != self.channel_header
            or made.signature_header != self.signature_header
            or not self._is_in(read_outcome(made))
        ):
            raise FabricAnswerInvalid(f"{by} gave another transaction to sign than was proposed.")

    def _is_in(self, outcome: EndorsedOutcome) -> bool:
        return outcome.proposer == self.signature_header and outcome.proposed == self.payload


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
    kept = ChaincodeProposalPayload(input=payload.input).SerializeToString()
    return ProposedCall(transaction, signed, header.channel_header, header.signature_header, kept)


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
