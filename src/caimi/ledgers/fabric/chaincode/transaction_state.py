"""A transaction's state: what the peer says of keys, each asked once, under what was written.

Writes stay here until the contract is done, and go to the peer in the order of their keys: whatever
order a contract writes in, every organisation's peer sees the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from caimi.errors.fabric import ChaincodeRefusal, ChaincodeStreamInvalid
from caimi.ledgers.fabric.msp.identity import MspIdentity
from caimi.ledgers.fabric.protos.common.common_pb2 import ChannelHeader, Header, SignatureHeader
from caimi.ledgers.fabric.protos.ledger.queryresult.kv_query_result_pb2 import KV
from caimi.ledgers.fabric.protos.peer.chaincode_pb2 import ChaincodeInput
from caimi.ledgers.fabric.protos.peer.chaincode_shim_pb2 import (
    ChaincodeMessage,
    DelState,
    GetState,
    GetStateByRange,
    PutState,
    QueryResponse,
    QueryStateClose,
    QueryStateNext,
)
from caimi.ledgers.fabric.protos.peer.proposal_pb2 import Proposal
from caimi.ledgers.fabric.wire import read_message

_FIRST_PRINTED: Final = "\x01"
"""Keys that begin with a zero are Fabric's own."""


@dataclass(frozen=True, slots=True)
class TransactionLimits:
    """How much one transaction may do; sizes in bytes."""

    key_bytes: int = 1_024
    value_bytes: int = 1 << 20
    writes: int = 10_000
    written_bytes: int = 8 << 20
    reads: int = 100_000
    range: int = 10_000
    event_bytes: int = 4 << 20


class PeerQuestions(Protocol):
    """Asks the peer within one transaction, and waits for the answer."""

    def __call__(self, kind: int, payload: bytes) -> bytes:
        """Give the answer's payload."""


@dataclass(frozen=True, slots=True)
class TransactionRequest:
    """A transaction as the peer hands it over."""

    transaction: str
    channel: str
    arguments: Sequence[bytes]
    creator: MspIdentity
    proposed_at: int

    @classmethod
    def read(cls, message: ChaincodeMessage) -> TransactionRequest:
        """Read it from a message.

        Raises:
            ChaincodeStreamInvalid: it is no transaction, or its parts are of different ones.
            FabricIdentityInvalid: its creator is no identity.
        """
        invalid = ChaincodeStreamInvalid
        given = read_message(ChaincodeInput, message.payload, invalid)
        proposal = read_message(Proposal, message.proposal.proposal_bytes, invalid)
        header = read_message(Header, proposal.header, invalid)
        about = read_message(ChannelHeader, header.channel_header, invalid)
        signer = read_message(SignatureHeader, header.signature_header, invalid)
        if about.tx_id != message.txid or about.channel_id != message.channel_id:
            raise ChaincodeStreamInvalid(
                f"A peer hands over {message.txid!r} with the proposal of {about.tx_id!r}."
            )
        return cls(
            message.txid,
            message.channel_id,
            tuple(given.args),
            MspIdentity.read(signer.creator),
            about.timestamp.seconds,
        )


class TransactionState:
    """See `ChaincodeStub`."""

    def __init__(
        self, request: TransactionRequest, ask: PeerQuestions, limits: TransactionLimits
    ) -> None:
        self._request = request
        self._ask = ask
        self._limits = limits
        self._read: dict[str, bytes | None] = {}
        self._written: dict[str, bytes | None] = {}
        self._bytes = 0
        self.event: tuple[str, bytes] | None = None

    @property
    def transaction(self) -> str:
        return self._request.transaction

    @property
    def channel(self) -> str:
        return self._request.channel

    @property
    def arguments(self) -> Sequence[bytes]:
        return self._request.arguments

    @property
    def creator(self) -> MspIdentity:
        return self._request.creator

    @property
    def proposed_at(self) -> int:
        return self._request.proposed_at

    def get(self, key: str) -> bytes | None:
        if key in self._written:
            return self._written[key]
        if key not in self._read:
            self._check_key(key)
            self._bound(len(self._read) < self._limits.reads, "reads too many keys")
            request = GetState(key=key).SerializeToString()
            self._read[key] = self._ask(ChaincodeMessage.GET_STATE, request) or None
        return self._read[key]

    def put(self, key: str, value: bytes) -> None:
        self._check_key(key)
        self._bound(bool(value), f"writes nothing at {key!r}")
        self._bound(len(value) <= self._limits.value_bytes, f"writes too much at {key!r}")
        self._write(key, value)

    def delete(self, key: str) -> None:
        self._check_key(key)
        self._write(key, None)

    def range(self, start: str, end: str, limit: int) -> list[tuple[str, bytes]]:
        self._check_key(start)
        self._check_key(end)
        self._bound(0 < limit <= self._limits.range, "reads too wide a range")
        below = {key for key in self._written if start <= key < end}
        there = dict(self._committed(start, end, limit + len(below)))
        for key in below:
            value = self._written[key]
            if value is None:
                there.pop(key, None)
            else:
                there[key] = value
        return sorted(there.items())[:limit]

    def raise_event(self, name: str, payload: bytes) -> None:
        self._bound(bool(name), "raises an event without a name")
        self._bound(len(payload) <= self._limits.event_bytes, "raises too large an event")
        self.event = (name, payload)

    def writes(self) -> Iterator[tuple[int, bytes]]:
        """Give what to ask the peer, in turn, so that it puts all that was written down."""
        for key, value in sorted(self._written.items()):
            if value is None:
                yield ChaincodeMessage.DEL_STATE, DelState(key=key).SerializeToString()
            else:
                put = PutState(key=key, value=value)
                yield ChaincodeMessage.PUT_STATE, put.SerializeToString()

    def _committed(self, start: str, end: str, limit: int) -> list[tuple[str, bytes]]:
        request = GetStateByRange(startKey=start, endKey=end).SerializeToString()
        found: list[tuple[str, bytes]] = []
        kind = ChaincodeMessage.GET_STATE_BY_RANGE
        while True:
            page = self._page(kind, request)
            for each in page.results:
                kept = read_message(KV, each.resultBytes, ChaincodeStreamInvalid)
                found.append((kept.key, kept.value))
            if not page.has_more:
                return found[:limit]
            if len(found) >= limit:
                close = QueryStateClose(id=page.id).SerializeToString()
                self._ask(ChaincodeMessage.QUERY_STATE_CLOSE, close)
                return found[:limit]
            kind = ChaincodeMessage.QUERY_STATE_NEXT
            request = QueryStateNext(id=page.id).SerializeToString()

    def _page(self, kind: int, request: bytes) -> Any:  # noqa: ANN401 - a message
        return read_message(QueryResponse, self._ask(kind, request), ChaincodeStreamInvalid)

    def _write(self, key: str, value: bytes | None) -> None:
        before = self._written.get(key)
        self._bytes += len(value or b"") - len(before or b"")
        if key not in self._written:
            self._bytes += len(key.encode())
        self._bound(self._bytes <= self._limits.written_bytes, "writes too many bytes")
        self._bound(
            key in self._written or len(self._written) < self._limits.writes,
            "writes too many keys",
        )
        self._written[key] = value

    def _check_key(self, key: str) -> None:
        try:
            size = len(key.encode())
        except UnicodeEncodeError:
            size = 0
        self._bound(
            0 < size <= self._limits.key_bytes and key >= _FIRST_PRINTED,
            "uses a key that is empty, too long, or Fabric's own",
        )

    def _bound(self, kept: bool, what: str) -> None:
        if not kept:
            raise ChaincodeRefusal(f"The transaction {what}.")
