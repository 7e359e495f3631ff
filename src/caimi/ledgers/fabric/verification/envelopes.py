"""What clients signed: envelopes, and in them transactions with their endorsements.

An entry of a block is read only in the one form in which an orderer writes it, so that two entries
are never taken for one, nor one for two: a block's hash does not tell where entries end.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

from caimi.errors.fabric import FabricAnswerInvalid
from caimi.ledgers.fabric.protos.common.common_pb2 import (
    ENDORSER_TRANSACTION,
    ChannelHeader,
    Envelope,
    Payload,
    SignatureHeader,
)
from caimi.ledgers.fabric.protos.ledger.rwset.kvrwset.kv_rwset_pb2 import KVRWSet
from caimi.ledgers.fabric.protos.ledger.rwset.rwset_pb2 import TxReadWriteSet
from caimi.ledgers.fabric.protos.peer.chaincode_event_pb2 import (
    ChaincodeEvent as EventMessage,
)
from caimi.ledgers.fabric.protos.peer.proposal_pb2 import (
    ChaincodeAction,
    ChaincodeHeaderExtension,
)
from caimi.ledgers.fabric.protos.peer.proposal_response_pb2 import ProposalResponsePayload
from caimi.ledgers.fabric.protos.peer.transaction_pb2 import ChaincodeActionPayload, Transaction
from caimi.ledgers.fabric.wire import LENGTH, read_message, wire_fields

_PAYLOAD: Final = Envelope.PAYLOAD_FIELD_NUMBER
_SIGNATURE: Final = Envelope.SIGNATURE_FIELD_NUMBER


@dataclass(frozen=True, slots=True)
class SignedPayload:
    """An envelope: what somebody signed. `creator` is a SerializedIdentity as it came."""

    kind: int
    """The channel header's type: a HeaderType."""
    channel: str
    transaction: str
    creator: bytes
    nonce: bytes
    channel_header: bytes
    signature_header: bytes
    extension: bytes
    data: bytes
    payload: bytes
    signature: bytes

    @property
    def is_endorsed(self) -> bool:
        """Whether it is a transaction that peers endorsed."""
        return self.kind == ENDORSER_TRANSACTION

    def check_id(self) -> None:
        """Check that a transaction's id is made of its nonce and of who creates it.

        Raises:
            FabricAnswerInvalid: the id is another transaction's.
        """
        made = hashlib.sha256(self.nonce + self.creator).hexdigest()
        if self.transaction != made:
            raise FabricAnswerInvalid(f"The id of transaction {made} is {self.transaction!r}.")


@dataclass(frozen=True, slots=True)
class StateWrite:
    """One key written, or deleted where there is no value."""

    namespace: str
    key: str
    value: bytes | None


@dataclass(frozen=True, slots=True)
class StateRead:
    """One key read: the block and place in it of the transaction that had written it, if any."""

    namespace: str
    key: str
    version: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class RaisedEvent:
    """The one event that a transaction may raise."""

    chaincode: str
    name: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class PeerEndorsement:
    """What is said to be one peer's signature over an outcome.

    `endorser` should be a SerializedIdentity; whoever sends a transaction may add what is not.
    """

    endorser: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class EndorsedOutcome:
    """What one chaincode call did, and the peers that are said to say so."""

    chaincode: str
    proposer: bytes
    """The SignatureHeader of the proposal: of whose call it is."""
    proposed: bytes
    """The ChaincodeProposalPayload: what it was called with."""
    status: int
    result: bytes
    reads: tuple[StateRead, ...]
    writes: tuple[StateWrite, ...]
    event: RaisedEvent | None
    endorsements: tuple[PeerEndorsement, ...]
    response: bytes
    """The ProposalResponsePayload, of which each peer signs this and its identity."""


def read_envelope(encoded: bytes) -> SignedPayload:
    """Read an envelope in its one form.

    Raises:
        FabricAnswerInvalid: it is none.
    """
    signed = unsigned_envelope(encoded)
    if not signed.payload or not signed.signature:
        raise FabricAnswerInvalid("An envelope holds nothing, or nobody signed it.")
    return signed


def unsigned_envelope(encoded: bytes) -> SignedPayload:
    """Read an envelope as `read_envelope` does, signed or not: a channel's first is not.

    Raises:
        FabricAnswerInvalid: it is none.
    """
    whole, signature = _parts_of(encoded)
    payload = read_message(Payload, whole, FabricAnswerInvalid)
    header = read_message(ChannelHeader, payload.header.channel_header, FabricAnswerInvalid)
    signer = read_message(SignatureHeader, payload.header.signature_header, FabricAnswerInvalid)
    return SignedPayload(
        header.type,
        header.channel_id,
        header.tx_id,
        signer.creator,
        signer.nonce,
        payload.header.channel_header,
        payload.header.signature_header,
        header.extension,
        payload.data,
        whole,
        signature,
    )


def _parts_of(encoded: bytes) -> tuple[bytes, bytes]:
    """Give an envelope's payload and signature, which orderers write before all that is unknown."""
    parts = {_PAYLOAD: b"", _SIGNATURE: b""}
    before = 0
    try:
        for field in wire_fields(encoded):
            number = field.number
            if number not in parts or field.kind != LENGTH:
                before = _SIGNATURE
                continue
            head = encoded[field.start : field.content]
            if number <= before or field.content == field.end or head != field.shortest_head:
                raise ValueError
            parts[number] = encoded[field.content : field.end]
            before = number
    except ValueError:
        raise FabricAnswerInvalid(
            "An envelope is not in the form in which orderers write it."
        ) from None
    return parts[_PAYLOAD], parts[_SIGNATURE]


def writes_to(signed: SignedPayload, namespace: str) -> bool:
    """Tell whether an endorsed transaction writes keys of a chaincode.

    What else is in it is not looked at: it may be of a chaincode that does as it likes.

    Raises:
        FabricAnswerInvalid: it is no transaction of one call.
    """
    action = _call_of(signed)[-1]
    return any(
        of.namespace == namespace and read_message(KVRWSet, of.rwset, FabricAnswerInvalid).writes
        for of in read_message(TxReadWriteSet, action.results, FabricAnswerInvalid).ns_rwset
    )


def read_outcome(signed: SignedPayload) -> EndorsedOutcome:
    """Read what an endorsed transaction does.

    Raises:
        FabricAnswerInvalid: it is no transaction of one call, or its parts do not belong together.
    """
    header, outer, response, action = _call_of(signed)
    proposed = hashlib.sha256(
        signed.channel_header + header + outer.chaincode_proposal_payload
    ).digest()
    if response.proposal_hash != proposed:
        raise FabricAnswerInvalid("The endorsements of a transaction are for another proposal.")
    extension = read_message(ChaincodeHeaderExtension, signed.extension, FabricAnswerInvalid)
    if extension.chaincode_id.name != action.chaincode_id.name:
        raise FabricAnswerInvalid("A transaction was proposed to another chaincode than did it.")
    reads, writes = read_sets(action.results)
    return EndorsedOutcome(
        action.chaincode_id.name,
        header,
        outer.chaincode_proposal_payload,
        action.response.status,
        action.response.payload,
        reads,
        writes,
        _event(action.events),
        tuple(PeerEndorsement(each.endorser, each.signature) for each in outer.action.endorsements),
        outer.action.proposal_response_payload,
    )


def read_sets(encoded: bytes) -> tuple[tuple[StateRead, ...], tuple[StateWrite, ...]]:
    """Read which keys were read and written.

    Raises:
        FabricAnswerInvalid: it is no read-write set.
    """
    reads: list[StateRead] = []
    writes: list[StateWrite] = []
    for of in read_message(TxReadWriteSet, encoded, FabricAnswerInvalid).ns_rwset:
        sets = read_message(KVRWSet, of.rwset, FabricAnswerInvalid)
        for read in sets.reads:
            there = read.HasField("version")
            version = (read.version.block_num, read.version.tx_num) if there else None
            reads.append(StateRead(of.namespace, read.key, version))
        for write in sets.writes:
            value = None if write.is_delete else write.value
            writes.append(StateWrite(of.namespace, write.key, value))
    return tuple(reads), tuple(writes)


def _call_of(signed: SignedPayload) -> tuple[bytes, Any, Any, Any]:
    """Give the header of a transaction's one call, its payload, the peers' answer, and what is
    done.
    """
    if not signed.is_endorsed:
        raise FabricAnswerInvalid(f"An envelope of type {signed.kind} is no transaction.")
    actions = read_message(Transaction, signed.data, FabricAnswerInvalid).actions
    if len(actions) != 1:
        raise FabricAnswerInvalid("A transaction is not of one call.")
    outer = read_message(ChaincodeActionPayload, actions[0].payload, FabricAnswerInvalid)
    response = read_message(
        ProposalResponsePayload, outer.action.proposal_response_payload, FabricAnswerInvalid
    )
    action = read_message(ChaincodeAction, response.extension, FabricAnswerInvalid)
    return actions[0].header, outer, response, action


def _event(encoded: bytes) -> RaisedEvent | None:
    if not encoded:
        return None
    event = read_message(EventMessage, encoded, FabricAnswerInvalid)
    return RaisedEvent(event.chaincode_id, event.event_name, event.payload)
