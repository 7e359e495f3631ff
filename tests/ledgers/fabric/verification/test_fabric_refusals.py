"""What Fabric's words mean."""

from __future__ import annotations

import grpc
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage

from caimi.errors.fabric import (
    FabricAccessDenied,
    FabricAnswerInvalid,
    FabricChaincodeMissing,
    FabricChaincodeRefused,
    FabricChannelMissing,
    FabricEndorsersDisagree,
    FabricPeerNotTrusted,
    FabricPeersMissing,
    FabricRefused,
    FabricUnavailable,
)
from caimi.ledgers.fabric.protos.gateway.gateway_pb2 import ErrorDetail
from caimi.ledgers.fabric.protos.grpc_status_pb2 import GrpcStatus
from caimi.ledgers.fabric.rpc.refusals import (
    PeerDetail,
    RefusedCall,
    is_gone,
    named_error,
    read_details,
)

ABORTED, GONE = grpc.StatusCode.ABORTED, grpc.StatusCode.UNAVAILABLE
FULL = grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize(
    ("code", "said", "error"),
    [
        (ABORTED, "ProposalResponsePayloads do not match", FabricEndorsersDisagree),
        (ABORTED, "chaincode response 500, no", FabricChaincodeRefused),
        (
            ABORTED,
            "make sure the chaincode x has been successfully defined on channel y",
            FabricChaincodeMissing,
        ),
        (ABORTED, "no peers available to evaluate chaincode x", FabricChaincodeMissing),
        (ABORTED, "failed to get config for channel [x]", FabricChannelMissing),
        (ABORTED, "error validating proposal: access denied: channel [c]", FabricAccessDenied),
        (ABORTED, "no combination of peers can be derived", FabricPeersMissing),
        (ABORTED, "something else", FabricRefused),
        (GONE, "no orderers could successfully process transaction", FabricUnavailable),
        (FULL, "Received message larger than max (1 vs. 0)", FabricAnswerInvalid),
        (FULL, "too many requests, exceeding concurrency limit (500)", FabricUnavailable),
        (ABORTED, "rpc error: code = Unavailable desc = connection error", FabricPeersMissing),
        (ABORTED, "timeout expired while executing transaction", FabricChaincodeMissing),
        (ABORTED, "error sending: chaincode stream terminated", FabricChaincodeMissing),
        (GONE, "failed to connect to all addresses", FabricUnavailable),
        (GONE, "Ssl handshake failed: CERTIFICATE_VERIFY_FAILED", FabricPeerNotTrusted),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded", FabricUnavailable),
    ],
)
def test_words_have_names(code: grpc.StatusCode, said: str, error: type[Exception]):
    assert type(named_error(RefusedCall("peer:1", code, said))) is error


def test_the_peers_own_words_count_more_than_the_gateways():
    details = (PeerDetail("peer:2", "OneMSP", "chaincode response 500, not today"),)
    refused = RefusedCall("peer:1", ABORTED, "failed to endorse transaction", details)
    error = named_error(refused)
    assert isinstance(error, FabricChaincodeRefused)
    assert error.said == "not today"
    assert "OneMSP (peer:2)" in error.what


@pytest.mark.parametrize(
    "words",
    [
        "ProposalResponsePayloads do not match",
        "access denied",
        "no combination of peers",
        "no orderer",
    ],
)
def test_a_contracts_words_are_not_taken_for_fabrics(words: str):
    details = (PeerDetail("peer:2", "OneMSP", f"chaincode response 500, {words}"),)
    refused = RefusedCall("peer:1", ABORTED, "failed to endorse transaction", details)
    assert type(named_error(refused)) is FabricChaincodeRefused


def test_words_are_one_line_and_bounded():
    details = tuple(PeerDetail("p:1", "M", "a\nb\x1b[2J" + "x" * 10_000) for _ in range(20))
    shown = RefusedCall("peer:1", ABORTED, "", details).shown()
    assert shown.isprintable()
    assert len(shown) < 2_000


def test_only_a_peer_that_was_not_reached_is_asked_again():
    assert is_gone(RefusedCall("peer:1", GONE, "Connection refused"))
    assert not is_gone(RefusedCall("peer:1", ABORTED, "Connection refused"))
    assert not is_gone(RefusedCall("peer:1", GONE, "CERTIFICATE_VERIFY_FAILED"))
    details = (PeerDetail("p", "M", "said"),)
    assert not is_gone(RefusedCall("peer:1", GONE, "", details))
    assert is_gone(RefusedCall("peer:1", GONE, "no orderers could process it", details))


def test_details_are_read_from_the_trailer():
    packed = AnyMessage()
    packed.Pack(ErrorDetail(address="peer:2", msp_id="OneMSP", message="said"))
    other = AnyMessage(type_url="type.googleapis.com/other.Kind", value=b"\xff")
    status = GrpcStatus(code=10, message="m", details=[other, packed])
    assert read_details(status.SerializeToString()) == (PeerDetail("peer:2", "OneMSP", "said"),)


@pytest.mark.parametrize("encoded", [b"", b"\xff", b"\x1a\x05\x0a\x01"])
def test_a_trailer_that_is_none_says_nothing(encoded: bytes):
    assert read_details(encoded) == ()
