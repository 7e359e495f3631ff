"""The chaincode side of the protocol between a peer and its chaincode, served over gRPC with TLS.

The peer connects (chaincode as a service). On its stream the chaincode registers by the id of the
package that names it; then transactions come, many at a time, each in a thread of its own that asks
the peer for keys. One request of a transaction is under way at a time, as the protocol has it, and
there are ten for a small act: what one costs decides how fast the chaincode is.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any, Final, TypeAlias

import grpc
import grpc.aio

from caimi.errors.fabric import (
    ChaincodeRefusal,
    ChaincodeStreamInvalid,
    FabricError,
    FabricNodeFailed,
)
from caimi.ledgers.fabric.chaincode.stub import ChaincodeContract
from caimi.ledgers.fabric.chaincode.transaction_state import (
    PeerQuestions,
    TransactionLimits,
    TransactionRequest,
    TransactionState,
)
from caimi.ledgers.fabric.protos.peer.chaincode_event_pb2 import ChaincodeEvent
from caimi.ledgers.fabric.protos.peer.chaincode_pb2 import ChaincodeID
from caimi.ledgers.fabric.protos.peer.chaincode_shim_pb2 import ChaincodeMessage
from caimi.ledgers.fabric.protos.peer.proposal_response_pb2 import Response
from caimi.ledgers.fabric.wire import NOT_NOW
from caimi.line_text import one_line
from caimi.logs import about

log = logging.getLogger(__name__)
SERVICE: Final = "protos.Chaincode"
_OK: Final = 200
_REFUSED: Final = 500
_INTERNAL: Final = "The chaincode failed; its own log says why."
_BUSY: Final = "The chaincode has too many transactions under way."
_ENDING: Final = "The chaincode is ending: ask again in a moment."
DRAIN_SECONDS: Final = 10.0
"""How long a process that was told to end finishes what is under way."""
_GONE: Final = "The peer has gone."
_LARGE: Final = "The arguments are larger than the chaincode takes."
_MAX_REFUSAL: Final = 2_000
_Answer: TypeAlias = bytes | ChaincodeRefusal


@dataclass(frozen=True, slots=True)
class ChaincodeTls:
    """The process's certificate and key, and whom it lets connect; PEM."""

    certificate: bytes
    key: bytes
    client_roots: bytes


@dataclass(frozen=True, slots=True)
class ShimLimits:
    """How much a process takes on at a time; sizes in bytes.

    A message that is larger than `message_bytes` ends the stream, and with it what others have
    under way, so that is as much as a peer sends (100 MB). A call that is larger than `call_bytes`,
    its arguments and its proposal together, is refused alone.
    """

    threads: int = 16
    under_way: int = 1_000
    message_bytes: int = 128 << 20
    call_bytes: int = 16 << 20
    transaction: TransactionLimits = field(default_factory=TransactionLimits)


@asynccontextmanager
async def serving_chaincode(
    package_id: str,
    contract: ChaincodeContract,
    address: str,
    tls: ChaincodeTls,
    limits: ShimLimits | None = None,
) -> AsyncIterator[None]:
    """Serve a contract under a package's id at host:port for the length of a block of code.

    At its end nothing new is begun, and what is under way is finished, within `DRAIN_SECONDS`.

    Raises:
        FabricNodeFailed: it cannot listen there.
    """
    bounds = limits or ShimLimits()
    threads = ThreadPoolExecutor(bounds.threads, "chaincode")
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", bounds.message_bytes),
            ("grpc.max_send_message_length", bounds.message_bytes),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.min_ping_interval_without_data_ms", 60_000),
            ("grpc.so_reuseport", 0),
        ]
    )

    streams: set[PeerStream] = set()

    async def connect(requests: Any, context: Any) -> None:  # noqa: ANN401 - a grpc stream
        stream = PeerStream(package_id, contract, context, threads, bounds)
        streams.add(stream)
        try:
            await stream.run(requests)
        finally:
            streams.discard(stream)

    handler = grpc.stream_stream_rpc_method_handler(
        connect,
        request_deserializer=ChaincodeMessage.FromString,
        response_serializer=lambda message: message.SerializeToString(),
    )
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(SERVICE, {"Connect": handler}),)
    )
    credentials = grpc.ssl_server_credentials(
        [(tls.key, tls.certificate)], tls.client_roots, require_client_auth=True
    )
    try:
        server.add_secure_port(address, credentials)
    except RuntimeError as error:
        raise FabricNodeFailed(f"The chaincode cannot listen at {address}: {error}.") from error
    await server.start()
    try:
        yield
    finally:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                await asyncio.gather(*(stream.drain() for stream in streams))
        await server.stop(grace=0)
        threads.shutdown(wait=False, cancel_futures=True)


class PeerStream:
    """One peer's connection."""

    def __init__(
        self,
        package_id: str,
        contract: ChaincodeContract,
        context: Any,  # noqa: ANN401 - a grpc stream
        threads: ThreadPoolExecutor,
        limits: ShimLimits,
    ) -> None:
        self._package_id = package_id
        self._contract = contract
        self._context = context
        self._threads = threads
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._outgoing: asyncio.Queue[ChaincodeMessage] = asyncio.Queue()
        self._waiting: dict[tuple[str, str], Callable[[_Answer], None]] = {}
        self._under_way: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._gone = False
        self._ending = False

    async def drain(self) -> None:
        """Begin nothing more, and wait for what is under way, and until the peer knows."""
        self._ending = True
        if self._under_way:
            await asyncio.wait(list(self._under_way.values()))
        if not self._gone:
            await self._outgoing.join()

    async def run(self, requests: AsyncIterator[ChaincodeMessage]) -> None:
        """Register, and carry out what comes until the peer goes away."""
        name = ChaincodeID(name=self._package_id).SerializeToString()
        self._send(ChaincodeMessage(type=ChaincodeMessage.REGISTER, payload=name))
        writing = asyncio.create_task(self._write())
        try:
            await self._expect(requests, ChaincodeMessage.REGISTERED)
            await self._expect(requests, ChaincodeMessage.READY)
            async for message in requests:
                self._take(message)
        except ChaincodeStreamInvalid as error:
            log.warning("%s", error.what)
            await self._context.abort(grpc.StatusCode.FAILED_PRECONDITION, error.what)
        finally:
            writing.cancel()
            self._end()

    async def _expect(self, requests: AsyncIterator[ChaincodeMessage], kind: int) -> None:
        async for message in requests:
            if message.type == ChaincodeMessage.KEEPALIVE:
                self._send(message)
            elif message.type == kind:
                return
            else:
                break
        raise ChaincodeStreamInvalid("A peer did not take the chaincode's registration.")

    def _take(self, message: ChaincodeMessage) -> None:
        key = (message.channel_id, message.txid)
        if message.type == ChaincodeMessage.TRANSACTION:
            if key in self._under_way:
                raise ChaincodeStreamInvalid(f"A peer sent transaction {message.txid!r} twice.")
            if len(message.payload) + message.proposal.ByteSize() > self._limits.call_bytes:
                self._complete(message, Response(status=_REFUSED, message=_LARGE), None)
                return
            if self._ending or len(self._under_way) >= self._limits.under_way:
                why = _ENDING if self._ending else _BUSY
                self._complete(message, Response(status=NOT_NOW, message=why), None)
                return
            task = asyncio.create_task(self._carry_out(message))
            self._under_way[key] = task
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        elif message.type in (ChaincodeMessage.RESPONSE, ChaincodeMessage.ERROR):
            answer = self._waiting.pop(key, None)
            if answer is None:
                raise ChaincodeStreamInvalid(f"A peer answers what {message.txid!r} did not ask.")
            if message.type == ChaincodeMessage.RESPONSE:
                answer(message.payload)
            else:
                said = one_line(message.payload.decode(errors="replace"))
                answer(ChaincodeRefusal(f"The peer says: {said}"))
        elif message.type == ChaincodeMessage.KEEPALIVE:
            self._send(message)
        else:
            raise ChaincodeStreamInvalid(f"A peer sent a message of type {message.type}.")

    async def _carry_out(self, message: ChaincodeMessage) -> None:
        with about(transaction=message.txid, channel=message.channel_id):
            event: tuple[str, bytes] | None = None
            try:
                request = TransactionRequest.read(message)
                state = TransactionState(
                    request, self._questions(request), self._limits.transaction
                )
                invoked = self._loop.run_in_executor(self._threads, self._contract.invoke, state)
                result = await invoked
                for kind, payload in state.writes():
                    await self._put(request, kind, payload)
                response, event = Response(status=_OK, payload=result), state.event
            except FabricError as error:
                response = Response(status=_REFUSED, message=error.what[:_MAX_REFUSAL])
            except asyncio.CancelledError:
                raise
            except Exception:
                log.exception("A transaction failed")
                response = Response(status=_REFUSED, message=_INTERNAL)
            self._complete(message, response, event)

    def _questions(self, request: TransactionRequest) -> PeerQuestions:
        """Give what asks from a thread, and has it wait."""
        answers: SimpleQueue[_Answer] = SimpleQueue()

        def ask(kind: int, payload: bytes) -> bytes:
            self._loop.call_soon_threadsafe(self._ask, request, (kind, payload), answers.put)
            return _told(answers.get())

        return ask

    async def _put(self, request: TransactionRequest, kind: int, payload: bytes) -> None:
        """Ask for what a peer has nothing to say to."""
        waiting: asyncio.Future[_Answer] = self._loop.create_future()

        def answer(found: _Answer) -> None:
            if not waiting.done():
                waiting.set_result(found)

        self._ask(request, (kind, payload), answer)
        _told(await waiting)

    def _ask(
        self,
        request: TransactionRequest,
        question: tuple[int, bytes],
        answer: Callable[[_Answer], None],
    ) -> None:
        key = (request.channel, request.transaction)
        if self._gone:
            answer(ChaincodeRefusal(_GONE))
        elif key in self._waiting:
            answer(ChaincodeRefusal("The contract asks for two keys at a time."))
        else:
            self._waiting[key] = answer
            kind, payload = question
            self._send(
                ChaincodeMessage(
                    type=kind,  # type: ignore[arg-type]
                    payload=payload,
                    txid=request.transaction,
                    channel_id=request.channel,
                )
            )

    def _complete(
        self, message: ChaincodeMessage, response: Response, event: tuple[str, bytes] | None
    ) -> None:
        raised = None
        if event is not None:
            name, payload = event
            raised = ChaincodeEvent(event_name=name, payload=payload, tx_id=message.txid)
        self._send(
            ChaincodeMessage(
                type=ChaincodeMessage.COMPLETED,
                payload=response.SerializeToString(),
                txid=message.txid,
                channel_id=message.channel_id,
                chaincode_event=raised,
            )
        )

    def _send(self, message: ChaincodeMessage) -> None:
        self._outgoing.put_nowait(message)

    async def _write(self) -> None:
        """Write what is to be sent, one message at a time, as a stream has it."""
        try:
            while True:
                await self._context.write(await self._outgoing.get())
                self._outgoing.task_done()
        except (grpc.aio.UsageError, asyncio.InvalidStateError):  # the peer has gone
            self._end()

    def _end(self) -> None:
        """Let go of what waits for a peer that is gone."""
        self._gone = True
        while self._waiting:
            _, answer = self._waiting.popitem()
            answer(ChaincodeRefusal(_GONE))
        for task in self._under_way.values():
            task.cancel()


def _told(answer: _Answer) -> bytes:
    if isinstance(answer, ChaincodeRefusal):
        raise answer
    return answer
