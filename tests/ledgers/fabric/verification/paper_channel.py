"""A channel on paper: blocks as real orderers and peers make them, or as liars would.

Certificates, configuration and first block are those of a local network; nothing runs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from caimi.ledgers.fabric.local.authorities import LocalAuthority
from caimi.ledgers.fabric.local.layout import LocalMember, LocalOrganisation
from caimi.ledgers.fabric.local.material import open_authority
from caimi.ledgers.fabric.local.network import lay_out
from caimi.ledgers.fabric.msp.identity import MspIdentity, MspSigner, fresh_nonce
from caimi.ledgers.fabric.msp.membership import MspRole
from caimi.ledgers.fabric.protos.common.common_pb2 import (
    CONFIG,
    ENDORSER_TRANSACTION,
    SIGNATURES,
    TRANSACTIONS_FILTER,
    Block,
    BlockData,
    BlockHeader,
    BlockMetadata,
    ChannelHeader,
    Envelope,
    Header,
    LastConfig,
    Metadata,
    MetadataSignature,
    OrdererBlockMetadata,
    Payload,
    SignatureHeader,
)
from caimi.ledgers.fabric.protos.common.configtx_pb2 import ConfigEnvelope
from caimi.ledgers.fabric.protos.ledger.rwset.kvrwset.kv_rwset_pb2 import KVRWSet, KVWrite
from caimi.ledgers.fabric.protos.ledger.rwset.rwset_pb2 import NsReadWriteSet, TxReadWriteSet
from caimi.ledgers.fabric.protos.msp.identities_pb2 import SerializedIdentity
from caimi.ledgers.fabric.protos.msp.msp_config_pb2 import FabricMSPConfig, MSPConfig
from caimi.ledgers.fabric.protos.peer.chaincode_event_pb2 import ChaincodeEvent
from caimi.ledgers.fabric.protos.peer.chaincode_pb2 import ChaincodeID
from caimi.ledgers.fabric.protos.peer.proposal_pb2 import ChaincodeAction, ChaincodeHeaderExtension
from caimi.ledgers.fabric.protos.peer.proposal_response_pb2 import (
    Endorsement,
    ProposalResponsePayload,
    Response,
)
from caimi.ledgers.fabric.protos.peer.transaction_pb2 import (
    ChaincodeActionPayload,
    ChaincodeEndorsedAction,
    Transaction,
    TransactionAction,
)
from caimi.ledgers.fabric.verification.chain import ChannelChain
from caimi.ledgers.fabric.verification.headers import (
    data_hash,
    header_hash,
    ledger_name,
    signed_header,
)

VALID = 0
DEEP = b"\x7b" * 5_000 + b"\x7c" * 5_000
"""Groups in groups, of a field that nobody knows."""
LONG_TAG = b"\xf8\x80\x80\x80\x80\x80\x00\x01"
"""A field that nobody knows, its number written longer than it has to be."""
LONG_LENGTH = b"\x7a\x81\x80\x80\x80\x80\x80\x80\x00\x00"
"""Such a field with a length that is."""


def with_chain(signer: MspSigner) -> MspSigner:
    """Give a member who shows more than one certificate, as peers allow."""
    identity = signer.identity
    pem = identity.certificate.public_bytes(Encoding.PEM)
    encoded = SerializedIdentity(mspid=identity.msp, id_bytes=pem * 2).SerializeToString()
    object.__setattr__(identity, "encoded", encoded)
    return signer


def signer_of(authority: LocalAuthority, msp: str, role: MspRole, **how: Any) -> MspSigner:
    keyed = authority.member(f"some-{role}", role, **how)
    return MspSigner(MspIdentity.of(msp, keyed.pem), keyed.key)


@dataclass
class PaperTransaction:
    """A transaction to be; what is set here is what it says."""

    creator: MspSigner
    endorsers: Sequence[MspSigner]
    channel: str
    writes: dict[str, bytes] = field(default_factory=lambda: {"key": b"value"})
    chaincode: str = "trial"
    proposed_to: str | None = None
    proposal: bytes = b"proposal"
    claimed_id: str | None = None
    added: Sequence[Endorsement] = ()
    """What whoever sends it puts before its endorsements."""
    written_by_others: Sequence[NsReadWriteSet] = ()
    event: ChaincodeEvent | None = None
    spelled: Callable[[bytes], bytes] = bytes
    """How whoever sends it spells the endorsers' signatures."""
    proposer: Callable[[bytes], bytes] = bytes
    """What the proposal's signature header is, of that of the transaction."""

    def envelope(self) -> bytes:
        nonce = fresh_nonce()
        made = hashlib.sha256(nonce + self.creator.encoded).hexdigest()
        proposed_to = ChaincodeID(name=self.proposed_to or self.chaincode)
        channel_header = ChannelHeader(
            type=ENDORSER_TRANSACTION,
            channel_id=self.channel,
            tx_id=self.claimed_id or made,
            extension=ChaincodeHeaderExtension(chaincode_id=proposed_to).SerializeToString(),
        ).SerializeToString()
        signature_header = SignatureHeader(
            creator=self.creator.encoded, nonce=nonce
        ).SerializeToString()
        proposer = self.proposer(signature_header)
        proposed = hashlib.sha256(channel_header + proposer + self.proposal).digest()
        sets = KVRWSet(writes=[KVWrite(key=key, value=each) for key, each in self.writes.items()])
        own = NsReadWriteSet(namespace=self.chaincode, rwset=sets.SerializeToString())
        results = TxReadWriteSet(ns_rwset=[own, *self.written_by_others])
        action = ChaincodeAction(
            results=results.SerializeToString(),
            events=self.event.SerializeToString() if self.event else b"",
            response=Response(status=200, payload=b"done"),
            chaincode_id=ChaincodeID(name=self.chaincode),
        )
        response = ProposalResponsePayload(
            proposal_hash=proposed, extension=action.SerializeToString()
        ).SerializeToString()
        endorsed = ChaincodeEndorsedAction(
            proposal_response_payload=response,
            endorsements=[
                *self.added,
                *(
                    Endorsement(
                        endorser=each.encoded,
                        signature=self.spelled(each.sign(response + each.encoded)),
                    )
                    for each in self.endorsers
                ),
            ],
        )
        inner = ChaincodeActionPayload(chaincode_proposal_payload=self.proposal, action=endorsed)
        transaction = Transaction(
            actions=[TransactionAction(header=proposer, payload=inner.SerializeToString())]
        )
        return sealed(self.creator, channel_header, signature_header, transaction)


def sealed(signer: MspSigner, channel_header: bytes, signature_header: bytes, data: Any) -> bytes:
    payload = Payload(
        header=Header(channel_header=channel_header, signature_header=signature_header),
        data=data.SerializeToString(),
    ).SerializeToString()
    return bytes(Envelope(payload=payload, signature=signer.sign(payload)).SerializeToString())


class PaperChannel:
    """A first block, and whoever may sign the next ones."""

    def __init__(self, root: Path) -> None:
        self.layout = lay_out(root, first_port=21_000)
        self.genesis = self.layout.genesis.read_bytes()
        self.name = ledger_name(_hash(self.genesis))
        orderers = self.layout.orderers
        self.orderer = LocalMember(orderers.msp, orderers.folder / "members" / "orderer").signer()
        self.user = self.layout.organisations[0].user.signer()
        self.peers = [each.peer.signer() for each in self.layout.organisations]

    def begin(self) -> ChannelChain:
        return ChannelChain.begin(self.name, self.genesis)

    def authority(self, of: LocalOrganisation | None = None) -> LocalAuthority:
        return open_authority(of or self.layout.orderers)

    def transaction(self, **how: Any) -> PaperTransaction:
        return PaperTransaction(
            **{
                "creator": self.user,
                "endorsers": self.peers,
                "channel": self.layout.channel,
                **how,
            }
        )

    def block(
        self,
        entries: Sequence[bytes] | None = None,
        after: bytes | None = None,
        *,
        signers: Sequence[MspSigner] | None = None,
        configured_at: int = 0,
        codes: bytes | None = None,
        number: int | None = None,
        previous: bytes | None = None,
    ) -> bytes:
        """Make the block after another, by default after the first."""
        before = self.genesis if after is None else after
        data = [self.transaction().envelope()] if entries is None else list(entries)
        if number is None:
            number = Block.FromString(before).header.number + 1
        if previous is None:
            previous = _hash(before)
        of_data = data_hash(data)
        said = OrdererBlockMetadata(last_config=LastConfig(index=configured_at)).SerializeToString()
        signatures = []
        for signer in [self.orderer] if signers is None else signers:
            header = SignatureHeader(
                creator=signer.encoded, nonce=fresh_nonce()
            ).SerializeToString()
            over = said + header + signed_header(number, previous, of_data)
            signatures.append(
                MetadataSignature(signature_header=header, signature=signer.sign(over))
            )
        metadata = [b""] * 5
        signed = Metadata(value=said, signatures=signatures)
        metadata[SIGNATURES] = signed.SerializeToString()
        metadata[TRANSACTIONS_FILTER] = bytes(len(data)) if codes is None else codes
        return bytes(
            Block(
                header=BlockHeader(number=number, previous_hash=previous, data_hash=of_data),
                data=BlockData(data=data),
                metadata=BlockMetadata(metadata=metadata),
            ).SerializeToString()
        )

    def configuration(
        self,
        change: Callable[[Any], None] = lambda _: None,
        sequence: int = 1,
        channel: str | None = None,
    ) -> bytes:
        """Give the envelope of a changed configuration, which `change` gets as a ConfigGroup."""
        first = Envelope.FromString(Block.FromString(self.genesis).data.data[0])
        config = ConfigEnvelope.FromString(Payload.FromString(first.payload).data)
        config.config.sequence = sequence
        change(config.config.channel_group)
        channel_header = ChannelHeader(type=CONFIG, channel_id=channel or self.layout.channel)
        signature_header = SignatureHeader(creator=self.orderer.encoded, nonce=fresh_nonce())
        return sealed(
            self.orderer,
            channel_header.SerializeToString(),
            signature_header.SerializeToString(),
            config,
        )


def change_membership(
    part: str, msp: str, change: Callable[[FabricMSPConfig], None]
) -> Callable[[Any], None]:
    """Give a change of one organisation's membership."""

    def changed(group: Any) -> None:
        value = group.groups[part].groups[msp].values["MSP"]
        outer = MSPConfig.FromString(value.value)
        inner = FabricMSPConfig.FromString(outer.config)
        change(inner)
        outer.config = inner.SerializeToString()
        value.value = outer.SerializeToString()

    return changed


def _hash(block: bytes) -> bytes:
    header = Block.FromString(block).header
    return header_hash(header.number, header.previous_hash, header.data_hash)


LONG_AGO = timedelta(seconds=1)
"""How long a certificate lasts that began ten minutes ago."""
