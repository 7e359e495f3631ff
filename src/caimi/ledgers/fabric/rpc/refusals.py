"""Why a peer refused, as an error with a name.

Fabric says why in words: a status, and for each peer that was asked a detail in the trailer
`grpc-status-details-bin`. The words are those of Fabric 2.4 to 3.0.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import grpc
import grpc.aio
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from caimi.errors.fabric import (
    FabricAccessDenied,
    FabricAnswerInvalid,
    FabricChaincodeBusy,
    FabricChaincodeMissing,
    FabricChaincodeRefused,
    FabricChannelMissing,
    FabricEndorsersDisagree,
    FabricPeerNotTrusted,
    FabricPeersMissing,
    FabricRefused,
    FabricUnavailable,
)
from caimi.errors.ledgers import LedgerError
from caimi.ledgers.fabric.protos.gateway.gateway_pb2 import ErrorDetail
from caimi.ledgers.fabric.protos.grpc_status_pb2 import GrpcStatus
from caimi.ledgers.fabric.wire import NOT_NOW
from caimi.line_text import one_line

DETAILS_TRAILER: Final = "grpc-status-details-bin"
_DETAIL_TYPE: Final = "gateway.ErrorDetail"
_MAX_DETAILS: Final = 20
_MAX_SHOWN: Final = 4
_GONE: Final = frozenset({grpc.StatusCode.UNAVAILABLE})
_HANDSHAKE: Final = re.compile(
    r"CERTIFICATE_VERIFY_FAILED|[Hh]andshake failed|Hostname Verification"
)
_CHAINCODE: Final = re.compile(r"chaincode response (?P<status>\d+), (?P<said>.*)", re.DOTALL)
_PEERS: Final = re.compile(
    r"no combination of peers|no endorsement combination|code = (Unavailable|DeadlineExceeded) |"
    r"failed to select a set of endorsers"
)
_BUSY: Final = re.compile(r"exceeding concurrency limit")
_LARGE: Final = re.compile(r"larger than max|message too large", re.IGNORECASE)
_ORDERERS: Final = re.compile(r"no orderer|no broadcasters")
_CHANNEL: Final = re.compile(
    r"failed to get config for channel|could not get last config for channel|"
    r"channel .* not found"
)
_WORDS: Final = (
    (_CHAINCODE, FabricChaincodeRefused),  # first: what follows is anybody's words
    (re.compile(r"ProposalResponsePayloads do not match"), FabricEndorsersDisagree),
    (
        re.compile(
            r"make sure the chaincode .* has been successfully defined|chaincode .* not found|"
            r"cannot retrieve package for chaincode|could not launch chaincode|"
            r"exists, but chaincode is not installed|connection to .* failed|"
            r"could not build chaincode|chaincode registration failed|"
            r"chaincode stream terminated|timeout expired while executing transaction|"
            r"no peers available to evaluate chaincode|"
            r"No metadata was found for chaincode"
        ),
        FabricChaincodeMissing,
    ),
    (_CHANNEL, FabricChannelMissing),
    (
        re.compile(
            r"access denied|creator org unknown|signature set did not satisfy|"
            r"creator is malformed|failed to authorize|creator certificate is not valid|"
            r"identity is not valid|expired|forbidden",
            re.IGNORECASE,
        ),
        FabricAccessDenied,
    ),
    (_PEERS, FabricPeersMissing),
)
"""What Fabric's words mean, the surest first."""


@dataclass(frozen=True, slots=True)
class PeerDetail:
    """What one peer said."""

    address: str
    msp: str
    said: str


@dataclass(frozen=True, slots=True)
class RefusedCall:
    """A call that was refused, as gRPC tells it."""

    address: str
    code: grpc.StatusCode
    said: str
    details: tuple[PeerDetail, ...] = ()

    @classmethod
    def of(cls, address: str, error: grpc.aio.AioRpcError) -> RefusedCall:
        """Read it."""
        details: tuple[PeerDetail, ...] = ()
        for key, value in error.trailing_metadata() or ():
            if key == DETAILS_TRAILER and isinstance(value, bytes):
                details = read_details(value)
        return cls(address, error.code(), error.details() or "", details)

    @property
    def texts(self) -> tuple[str, ...]:
        """All that was said, the peers' own words first."""
        return (*(detail.said for detail in self.details), self.said)

    def shown(self) -> str:
        """Put it on one line."""
        return "; ".join(
            f"{each.msp or '?'} ({each.address}): {one_line(each.said)}"
            for each in self.details[:_MAX_SHOWN]
        ) or one_line(self.said)


def read_details(encoded: bytes) -> tuple[PeerDetail, ...]:
    """Read what peers said out of the trailer; what is not that is nothing."""
    found = []
    try:
        for packed in GrpcStatus.FromString(encoded).details[:_MAX_DETAILS]:
            if packed.type_url.rpartition("/")[2] == _DETAIL_TYPE:
                detail = ErrorDetail.FromString(packed.value)
                found.append(PeerDetail(detail.address, detail.msp_id, detail.message))
    except DecodeError:
        return ()
    return tuple(found)


def is_gone(refused: RefusedCall) -> bool:
    """Tell whether the peer, or every orderer, was not reached: the same may be asked again."""
    if refused.code is grpc.StatusCode.RESOURCE_EXHAUSTED and _BUSY.search(refused.said):
        return True
    if refused.code not in _GONE:
        return False
    if _ORDERERS.search(refused.said):
        return True
    known = any(pattern.search(refused.said) for pattern in (_HANDSHAKE, _PEERS, _CHANNEL))
    return not refused.details and not known


def unreachable(refused: RefusedCall) -> LedgerError:
    """Give the error for a peer that was not reached."""
    if _HANDSHAKE.search(refused.said):
        return FabricPeerNotTrusted(f"{refused.address}: {refused.shown()}")
    if _ORDERERS.search(refused.said):
        return FabricUnavailable(f"{refused.address} reaches no orderer: {refused.shown()}")
    return FabricUnavailable(f"{refused.address} was not reached: {refused.shown()}")


def named_error(refused: RefusedCall) -> LedgerError:
    """Give the error that says why a call was refused."""
    where = f"{refused.address}: {refused.shown()}"
    if is_gone(refused):
        return unreachable(refused)
    if refused.code is grpc.StatusCode.RESOURCE_EXHAUSTED and _LARGE.search(refused.said):
        return FabricAnswerInvalid(where)
    for pattern, error in _WORDS:
        for text in refused.texts:
            if (found := pattern.search(text)) is not None:
                return _by_chaincode(found, where) if pattern is _CHAINCODE else error(where)
    if refused.code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return FabricUnavailable(f"{refused.address} did not answer in time: {refused.shown()}")
    return unreachable(refused) if refused.code in _GONE else FabricRefused(where)


def _by_chaincode(answer: re.Match[str], where: str) -> LedgerError:
    if answer["status"] == str(NOT_NOW):
        return FabricChaincodeBusy(where)
    return FabricChaincodeRefused.saying(answer["said"], where)
