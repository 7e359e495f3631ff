"""Decoders of what Fabric's peers and orderers send."""

from __future__ import annotations

import base64
import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from eth_abi.abi import decode
from google.protobuf.any_pb2 import Any as AnyMessage

from caimi.contracts.identifiers import Account
from caimi.contracts.receipts import ReceiptsAnchored
from caimi.errors.fabric import ChaincodeStreamInvalid
from caimi.ledgers.fabric.chaincode.transaction_state import TransactionRequest
from caimi.ledgers.fabric.local.authorities import LocalAuthority
from caimi.ledgers.fabric.msp.identity import MspIdentity, MspSigner, read_key
from caimi.ledgers.fabric.msp.membership import Membership, MspRole
from caimi.ledgers.fabric.msp.signing import bare_signature, sign_message
from caimi.ledgers.fabric.protos.common.common_pb2 import Block
from caimi.ledgers.fabric.protos.common.configtx_pb2 import ConfigEnvelope
from caimi.ledgers.fabric.protos.gateway.gateway_pb2 import ErrorDetail
from caimi.ledgers.fabric.protos.grpc_status_pb2 import GrpcStatus
from caimi.ledgers.fabric.protos.peer.chaincode_pb2 import ChaincodeInput
from caimi.ledgers.fabric.protos.peer.chaincode_shim_pb2 import ChaincodeMessage
from caimi.ledgers.fabric.reads import StateReads, check_reads, read_path
from caimi.ledgers.fabric.rpc.endorsed_reads import ReadSource, check_payload
from caimi.ledgers.fabric.rpc.gateway import EndorsedTransaction
from caimi.ledgers.fabric.rpc.proposals import ChaincodeCallArguments, propose
from caimi.ledgers.fabric.rpc.refusals import read_details
from caimi.ledgers.fabric.telling import ToldAct
from caimi.ledgers.fabric.terms import AccountingTerms, FoundingTerms
from caimi.ledgers.fabric.verification.chain import ChannelChain
from caimi.ledgers.fabric.verification.configuration import ChannelConfiguration
from caimi.ledgers.fabric.verification.envelopes import unsigned_envelope
from caimi.ledgers.fabric.wire import read_message
from caimi.ledgers.machine.outcomes import ActOutcome
from caimi.ledgers.port import LedgerId
from fuzz.decoder import Decoder, Law

RECORDED = json.loads(
    (Path(__file__).parents[2] / "contracts" / "vectors" / "fabric.json").read_text()
)
_FOLDER = TemporaryDirectory()
HERE = LedgerId("fabric:" + "0" * 32)
READS = json.loads(
    (Path(__file__).parents[2] / "contracts" / "vectors" / "fabric_reads.json").read_text()
)
SOURCE = ReadSource(READS["ledger"], READS["channel"], READS["chaincode"])
PATHS = [bytes.fromhex(path[2:]) for path in READS["sent"]["paths"]]
BLOCKS = [base64.b64decode(block) for block in RECORDED["blocks"]]


def _entries(block: bytes) -> list[bytes]:
    return list(Block.FromString(block).data.data)


@cache
def _begun() -> ChannelChain:
    return ChannelChain.begin(RECORDED["ledger"], BLOCKS[0])


def _memberships() -> list[bytes]:
    signed = unsigned_envelope(_entries(BLOCKS[0])[0])
    group = ConfigEnvelope.FromString(signed.data).config.channel_group
    parts = (group.groups["Application"], group.groups["Orderer"])
    return [own.values["MSP"].value for part in parts for own in part.groups.values()]


def _identities() -> list[bytes]:
    return [unsigned_envelope(entry).creator for entry in _entries(BLOCKS[-1])]


def _trailers() -> list[bytes]:
    packed = AnyMessage()
    packed.Pack(ErrorDetail(address="127.0.0.1:7051", msp_id="Org1MSP", message="refused"))
    return [GrpcStatus(code=10, message="aborted", details=[packed] * 2).SerializeToString()]


def _transactions() -> list[bytes]:
    keyed = LocalAuthority.create("Org1MSP", "ca").member("user", MspRole.CLIENT)
    signer = MspSigner(MspIdentity.of("Org1MSP", keyed.pem), keyed.key)
    call = propose(signer, ChaincodeCallArguments("caimi", "trial", [b"get", b"key"]))
    message = ChaincodeMessage(
        type=ChaincodeMessage.TRANSACTION,
        payload=ChaincodeInput(args=[b"get", b"key"]).SerializeToString(),
        txid=call.transaction,
        channel_id="caimi",
        proposal=call.proposal,
    )
    return [message.SerializeToString()]


def _read_transaction(encoded: bytes) -> TransactionRequest:
    return TransactionRequest.read(read_message(ChaincodeMessage, encoded, ChaincodeStreamInvalid))


def _read_terms_file(data: bytes) -> FoundingTerms:
    path = Path(_FOLDER.name) / "terms.toml"
    path.write_bytes(data)
    return FoundingTerms.read_file(path)


def _payloads() -> list[bytes]:
    encoding = "(bytes,(bytes32,bytes32,bytes32,bytes32,bytes)[],uint16[])"
    ((payload, *_),) = decode([encoding], bytes.fromhex(READS["sent"]["proof"][2:]))
    return [payload]


def _answers() -> list[bytes]:
    said, _ = check_payload(_payloads()[0], SOURCE, list(map(read_path, PATHS)))
    return [said.encode()]


def _read_answer(answer: bytes) -> StateReads:
    return check_reads(answer, SOURCE.ledger, SOURCE.channel, list(map(read_path, PATHS)))


DECODERS = (
    Decoder(
        "fabric-read-path",
        ("caimi.ledgers.fabric.reads.read_path",),
        lambda: PATHS,
        read_path,
        lambda path: path.raw,
        Law.ONE_SPELLING,
        (ValueError,),
        share=0.5,
    ),
    Decoder(
        "fabric-reads",
        ("caimi.ledgers.fabric.reads.check_reads",),
        _answers,
        _read_answer,
        StateReads.encode,
        Law.ONE_SPELLING,
        (ValueError,),
        share=0.5,
    ),
    Decoder(
        "fabric-signed-reads",
        ("caimi.ledgers.fabric.rpc.endorsed_reads",),
        _payloads,
        lambda payload: check_payload(payload, SOURCE, list(map(read_path, PATHS))),
        share=0.5,
    ),
    Decoder(
        "fabric-block",
        ("caimi.ledgers.fabric.verification.chain", "caimi.ledgers.fabric.wire"),
        lambda: BLOCKS[1:2],
        lambda block: _begun().accept(block),
        share=0.5,
    ),
    Decoder(
        "fabric-transaction",
        (
            "caimi.ledgers.fabric.verification.envelopes",
            "caimi.ledgers.fabric.rpc.gateway.EndorsedTransaction.read",
        ),
        lambda: [entry for block in BLOCKS[4:] for entry in _entries(block)],
        EndorsedTransaction.read,
    ),
    Decoder(
        "fabric-configuration",
        (
            "caimi.ledgers.fabric.verification.configuration",
            "caimi.ledgers.fabric.verification.policies",
        ),
        lambda: _entries(BLOCKS[0]),
        lambda entry: ChannelConfiguration.read(unsigned_envelope(entry)),
        share=0.3,
    ),
    Decoder(
        "fabric-membership",
        ("caimi.ledgers.fabric.msp.membership",),
        _memberships,
        Membership.read,
        share=0.5,
    ),
    Decoder(
        "fabric-identity",
        (
            "caimi.ledgers.fabric.msp.identity.MspIdentity.read",
            "caimi.ledgers.fabric.msp.identity.read_certificate",
        ),
        _identities,
        MspIdentity.read,
    ),
    Decoder(
        "fabric-key",
        ("caimi.ledgers.fabric.msp.identity.read_key",),
        lambda: [LocalAuthority.create("Org1MSP", "ca").key_pem],
        read_key,
    ),
    Decoder(
        "fabric-signature",
        ("caimi.ledgers.fabric.msp.signing",),
        lambda: [sign_message(read_key(LocalAuthority.create("Org1MSP", "ca").key_pem), b"x")],
        bare_signature,
    ),
    Decoder(
        "fabric-refusal",
        ("caimi.ledgers.fabric.rpc.refusals.read_details",),
        _trailers,
        read_details,
    ),
    Decoder(
        "fabric-chaincode-message",
        ("caimi.ledgers.fabric.chaincode.transaction_state.TransactionRequest.read",),
        _transactions,
        _read_transaction,
    ),
    Decoder(
        "fabric-told",
        ("caimi.ledgers.fabric.telling.ToldAct.decode",),
        lambda: [_told().encode()],
        ToldAct.decode,
        ToldAct.encode,
        Law.ONE_SPELLING,
        (ValueError,),
    ),
    Decoder(
        "fabric-terms",
        ("caimi.ledgers.fabric.terms.FoundingTerms.decode",),
        lambda: [_terms().encode()],
        FoundingTerms.decode,
    ),
    Decoder(
        "fabric-terms-file",
        ("caimi.ledgers.fabric.terms.FoundingTerms.read_file",),
        lambda: [_terms().text().encode()],
        _read_terms_file,
    ),
)


def _told() -> ToldAct:
    sent = ReceiptsAnchored(Account(b"a" * 52), 1, b"\1" * 32, 1)
    return ToldAct(1, b"a" * 52, ActOutcome((1, "x"), (sent,), None))


def _terms() -> FoundingTerms:
    who = "a" * 52
    asset = AccountingTerms(issuer=who, symbol="EUR", decimals=2)
    return FoundingTerms(HERE, who, who, asset)
