"""A peer that speaks the protocol with chaincode by hand, and may break it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio

from caimi.ledgers.fabric.chaincode.shim import ChaincodeTls, ShimLimits, serving_chaincode
from caimi.ledgers.fabric.chaincode.stub import ChaincodeContract
from caimi.ledgers.fabric.local.layout import LocalOrganisation
from caimi.ledgers.fabric.msp.identity import MspSigner
from caimi.ledgers.fabric.protos.ledger.queryresult.kv_query_result_pb2 import KV
from caimi.ledgers.fabric.protos.peer.chaincode_pb2 import ChaincodeID, ChaincodeInput
from caimi.ledgers.fabric.protos.peer.chaincode_shim_pb2 import (
    ChaincodeMessage,
    DelState,
    GetState,
    GetStateByRange,
    PutState,
    QueryResponse,
    QueryResultBytes,
    QueryStateNext,
)
from caimi.ledgers.fabric.protos.peer.proposal_response_pb2 import Response
from caimi.ledgers.fabric.rpc.proposals import ChaincodeCallArguments, propose
from caimi.loopback import free_port

CHANNEL = "caimi"
PACKAGE = "trial_1:" + "ab" * 32
PAGE = 2


class PaperPeer:
    """One stream to a chaincode, with a state in memory that answers what it asks for."""

    def __init__(self, call: Any, signer: MspSigner) -> None:
        self._call = call
        self._signer = signer
        self.state: dict[str, bytes] = {}
        self.asked: list[tuple[str, Any]] = []
        self._ranges: dict[str, list[tuple[str, bytes]]] = {}

    async def send(self, kind: int, payload: bytes = b"", **more: Any) -> None:
        await self._call.write(ChaincodeMessage(type=kind, payload=payload, **more))

    async def next(self) -> ChaincodeMessage:
        found = await self._call.read()
        assert found is not grpc.aio.EOF, "the chaincode ended the stream"
        return found

    async def register(self) -> str:
        message = await self.next()
        assert message.type == ChaincodeMessage.REGISTER
        await self.send(ChaincodeMessage.REGISTERED)
        await self.send(ChaincodeMessage.READY)
        return ChaincodeID.FromString(message.payload).name

    async def begin(self, *arguments: bytes, **changed: Any) -> str:
        """Hand a transaction over; give its id."""
        call = propose(self._signer, ChaincodeCallArguments(CHANNEL, "trial", arguments))
        given = ChaincodeInput(args=list(arguments)).SerializeToString()
        about = {"txid": call.transaction, "channel_id": CHANNEL, "proposal": call.proposal}
        await self.send(ChaincodeMessage.TRANSACTION, given, **(about | changed))
        return call.transaction

    async def completed(self) -> tuple[ChaincodeMessage, Response]:
        """Answer what is asked until a transaction is done."""
        while True:
            message = await self.next()
            if message.type == ChaincodeMessage.COMPLETED:
                return message, Response.FromString(message.payload)
            answer = self._answer(message)
            about = {"txid": message.txid, "channel_id": message.channel_id}
            await self.send(ChaincodeMessage.RESPONSE, answer, **about)

    async def call(self, *arguments: bytes) -> Response:
        await self.begin(*arguments)
        return (await self.completed())[1]

    def _answer(self, message: ChaincodeMessage) -> bytes:
        kind = ChaincodeMessage.Type.Name(message.type)
        if kind == "GET_STATE":
            asked = GetState.FromString(message.payload).key
            answer = self.state.get(asked, b"")
        elif kind == "PUT_STATE":
            put = PutState.FromString(message.payload)
            asked, answer = put.key, b""
            self.state[put.key] = put.value
        elif kind == "DEL_STATE":
            asked, answer = DelState.FromString(message.payload).key, b""
            self.state.pop(asked, None)
        elif kind == "GET_STATE_BY_RANGE":
            bounds = GetStateByRange.FromString(message.payload)
            asked = (bounds.startKey, bounds.endKey)
            found = [each for each in sorted(self.state.items()) if asked[0] <= each[0] < asked[1]]
            self._ranges[message.txid] = found
            answer = self._page(message.txid)
        elif kind == "QUERY_STATE_NEXT":
            asked = QueryStateNext.FromString(message.payload).id
            answer = self._page(asked)
        else:
            assert kind == "QUERY_STATE_CLOSE"
            asked, answer = None, QueryResponse().SerializeToString()
        self.asked.append((kind, asked))
        return answer

    def _page(self, of: str) -> bytes:
        page, self._ranges[of] = self._ranges[of][:PAGE], self._ranges[of][PAGE:]
        results = [
            QueryResultBytes(resultBytes=KV(key=key, value=value).SerializeToString())
            for key, value in page
        ]
        more = bool(self._ranges[of])
        return QueryResponse(results=results, has_more=more, id=of).SerializeToString()

    async def ended(self) -> grpc.StatusCode:
        """Wait until the chaincode ends the stream; give why."""
        with contextlib.suppress(grpc.aio.AioRpcError):
            while await self._call.read() is not grpc.aio.EOF:
                pass
        return await self._call.code()


@asynccontextmanager
async def served(
    contract: ChaincodeContract, of: LocalOrganisation, limits: ShimLimits | None = None
) -> AsyncIterator[str]:
    """Serve a contract with an organisation's certificates; give the address."""
    end = of.end("chaincode")
    tls = ChaincodeTls(end.certificate.read_bytes(), end.key.read_bytes(), of.tls_root.read_bytes())
    address = f"127.0.0.1:{free_port()}"
    async with serving_chaincode(PACKAGE, contract, address, tls, limits):
        yield address


@asynccontextmanager
async def paper_peer(
    address: str, of: LocalOrganisation, shown: LocalOrganisation | None = None
) -> AsyncIterator[PaperPeer]:
    """Connect as the peer of `shown`, by default of the chaincode's own organisation."""
    end = (shown or of).end("peer")
    credentials = grpc.ssl_channel_credentials(
        of.tls_root.read_bytes(), end.key.read_bytes(), end.certificate.read_bytes()
    )
    async with grpc.aio.secure_channel(address, credentials) as channel:
        call = channel.stream_stream(
            "/protos.Chaincode/Connect",
            request_serializer=ChaincodeMessage.SerializeToString,
            response_deserializer=ChaincodeMessage.FromString,
        )()
        yield PaperPeer(call, of.user.signer())
