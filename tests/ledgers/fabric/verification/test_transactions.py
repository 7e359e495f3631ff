"""A client signs the transaction that it proposed, and no other that a peer makes of it."""

from __future__ import annotations

import hashlib

import pytest
from test_membership import AUTHORITY, MSP

from caimi.errors.fabric import FabricAnswerInvalid
from caimi.ledgers.fabric.msp.identity import MspIdentity, MspSigner
from caimi.ledgers.fabric.msp.membership import MspRole
from caimi.ledgers.fabric.protos.common.common_pb2 import Header, Payload
from caimi.ledgers.fabric.protos.peer.chaincode_pb2 import ChaincodeID
from caimi.ledgers.fabric.protos.peer.proposal_pb2 import ChaincodeAction, Proposal
from caimi.ledgers.fabric.protos.peer.proposal_response_pb2 import ProposalResponsePayload
from caimi.ledgers.fabric.protos.peer.transaction_pb2 import (
    ChaincodeActionPayload,
    ChaincodeEndorsedAction,
    Transaction,
    TransactionAction,
)
from caimi.ledgers.fabric.rpc.proposals import (
    ChaincodeCallArguments,
    ProposedCall,
    propose,
    transaction_id,
)

KEYED = AUTHORITY.member("user", MspRole.CLIENT)
SIGNER = MspSigner(MspIdentity.of(MSP, KEYED.pem), KEYED.key)
CALL = ChaincodeCallArguments("caimi", "trial", [b"put", b"key"], {"secret": b"of the peers"})


def prepared(of: ProposedCall, chaincode: str = "trial", proposer: bytes | None = None) -> bytes:
    """Make of a call what a gateway does."""
    action = ChaincodeAction(chaincode_id=ChaincodeID(name=chaincode))
    proposer = of.signature_header if proposer is None else proposer
    proposed = hashlib.sha256(of.channel_header + proposer + of.payload).digest()
    response = ProposalResponsePayload(proposal_hash=proposed, extension=action.SerializeToString())
    endorsed = ChaincodeEndorsedAction(proposal_response_payload=response.SerializeToString())
    inner = ChaincodeActionPayload(chaincode_proposal_payload=of.payload, action=endorsed)
    actions = [TransactionAction(header=proposer, payload=inner.SerializeToString())]
    header = Header(channel_header=of.channel_header, signature_header=of.signature_header)
    data = Transaction(actions=actions).SerializeToString()
    return bytes(Payload(header=header, data=data).SerializeToString())


def changed(call: ProposedCall, **values: bytes) -> ProposedCall:
    said = {name: getattr(call, name) for name in ProposedCall.__dataclass_fields__}
    return ProposedCall(**(said | values))  # type: ignore[arg-type]


def test_what_was_proposed_is_signed():
    call = propose(SIGNER, CALL)
    call.check(prepared(call), "a peer")


def test_nothing_is_signed_but_what_was_asked():
    call, other = propose(SIGNER, CALL), propose(SIGNER, CALL)
    longer = propose(SIGNER, ChaincodeCallArguments("caimi", "trial", [b"put", b"other"]))
    for made in (
        other,
        changed(call, channel_header=other.channel_header),
        changed(call, signature_header=other.signature_header),
        changed(call, payload=longer.payload),
    ):
        with pytest.raises(FabricAnswerInvalid):
            call.check(prepared(made), "a peer")
    with pytest.raises(FabricAnswerInvalid):
        call.check(prepared(call, "another"), "a peer")
    with pytest.raises(FabricAnswerInvalid):
        call.check(prepared(call, proposer=other.signature_header), "a peer")


def test_what_is_transient_is_in_the_proposal_and_not_in_the_transaction():
    call = propose(SIGNER, CALL)
    assert b"of the peers" in Proposal.FromString(call.proposal.proposal_bytes).payload
    assert b"of the peers" not in call.payload


def test_an_id_is_made_of_nonce_and_creator_and_fresh_each_time():
    assert transaction_id(b"n", b"c") == hashlib.sha256(b"nc").hexdigest()
    assert propose(SIGNER, CALL).transaction != propose(SIGNER, CALL).transaction


def test_a_proposal_is_its_creators():
    signed = propose(SIGNER, CALL).proposal
    SIGNER.identity.check(signed.signature, signed.proposal_bytes)
