"""A peer's blocks in order, each once, from any on: over breaks of the connection, too."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, Final

import grpc.aio

from caimi.errors.fabric import (
    FabricAccessDenied,
    FabricAnswerInvalid,
    FabricRefused,
    FabricUnavailable,
)
from caimi.errors.ledgers import LedgerUnavailable
from caimi.ledgers.fabric.msp.identity import MspSigner
from caimi.ledgers.fabric.protos.common.common_pb2 import (
    DELIVER_SEEK_INFO,
    FORBIDDEN,
    NOT_FOUND,
    SERVICE_UNAVAILABLE,
    SUCCESS,
    ChannelHeader,
    Envelope,
    Status,
)
from caimi.ledgers.fabric.protos.orderer.ab_pb2 import (
    SeekInfo,
    SeekNewest,
    SeekPosition,
    SeekSpecified,
)
from caimi.ledgers.fabric.protos.peer.events_pb2 import DeliverResponse, FilteredBlock
from caimi.ledgers.fabric.rpc.connection import PeerConnection, broken
from caimi.ledgers.fabric.rpc.proposals import signed_envelope
from caimi.ledgers.fabric.wire import read_message

_FULL: Final = "/protos.Deliver/Deliver"
_FILTERED: Final = "/protos.Deliver/DeliverFiltered"
_NO_END: Final = 2**64 - 1
_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 1.0
_STEADY: Final = 1.0
_NOT_NOW: Final = frozenset({NOT_FOUND, SERVICE_UNAVAILABLE})


class _StreamRetries:
    """When a stream that broke is begun again, and when that has been tried for long enough.

    One that stood for a while has succeeded, if nothing came in it: there may be no new block for
    hours.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self.succeeded()

    def succeeded(self) -> None:
        self._pause = _FIRST_PAUSE
        self._failing: float | None = None
        self._stands: float | None = None

    def connected(self) -> None:
        self._stands = time.monotonic()

    def failed(self) -> float | None:
        """Give how long to wait before the next; None where it is enough."""
        now = time.monotonic()
        if self._stands is not None and now - self._stands > _STEADY:
            self.succeeded()
        self._stands = None
        if self._failing is None:
            self._failing = now
        pause = self._pause
        self._pause = min(_LONGEST_PAUSE, 2 * pause)
        return pause if now + pause - self._failing <= self._patience else None


class BlockReader:
    """Reads one channel's blocks from one peer, for one identity. What it gives is not checked."""

    def __init__(self, connection: PeerConnection, signer: MspSigner, channel: str) -> None:
        self._connection = connection
        self._signer = signer
        self._channel = channel

    async def newest(self) -> bytes:
        """Give the newest block that the peer has, serialized.

        Raises:
            FabricUnavailable, FabricAccessDenied, FabricRefused, FabricAnswerInvalid
        """
        position = SeekPosition(newest=SeekNewest())
        seek = SeekInfo(start=position, stop=position, behavior=SeekInfo.FAIL_IF_NOT_READY)
        async for answer in self._answers(_FULL, seek, _StreamRetries(0)):
            return _full(answer)[1]
        raise FabricAnswerInvalid(f"{self._address} has no newest block.")

    async def blocks(self, start: int, stop: int | None = None) -> AsyncIterator[bytes]:
        """Give blocks from number `start` on, serialized; with a `stop` up to that, else for ever.

        A `stop` that is not there yet is waited for: with one each block for as long as an answer,
        since there may be no such block, or none for this peer.

        Raises:
            FabricUnavailable: the peer was not reached for as long as its patience is, or shows no
                more blocks before the `stop`.
            FabricAccessDenied: the identity may not read the channel.
            FabricAnswerInvalid: a block is not the next one.
        """
        async for _, block in self._followed(_FULL, start, stop):
            yield block

    async def filtered(self, start: int, stop: int | None = None) -> AsyncIterator[FilteredBlock]:
        """Give what the peer says of each transaction in blocks, without what is in them.

        Raises:
            FabricUnavailable, FabricAccessDenied, FabricAnswerInvalid: as `blocks`.
        """
        async for _, block in self._followed(_FILTERED, start, stop):
            yield block

    @property
    def _address(self) -> str:
        return self._connection.endpoint.address

    async def _followed(
        self, method: str, start: int, stop: int | None
    ) -> AsyncIterator[tuple[int, Any]]:
        """Follow a stream, and begin it anew at the next block where it breaks."""
        following = start
        retries = _StreamRetries(self._connection.patience.reach)
        until = self._next_until(stop)
        while stop is None or following <= stop:
            seek = SeekInfo(
                start=_at(following),
                stop=_at(_NO_END if stop is None else stop),
                behavior=SeekInfo.BLOCK_UNTIL_READY,
            )
            try:
                async with aclosing(self._answers(method, seek, retries)) as answers:
                    while (answer := await self._within(answers, until, following)) is not None:
                        number, block = (_full if method == _FULL else _filtered)(answer)
                        if number != following:
                            raise FabricAnswerInvalid(
                                f"{self._address} gave block {number} in the place of {following}."
                            )
                        yield number, block
                        following = number + 1
                        retries.succeeded()
                        until = self._next_until(stop)
                if stop is None or following <= stop:
                    raise LedgerUnavailable(f"{self._address} ended its blocks at {following}.")
            except LedgerUnavailable:
                pause = retries.failed()
                if pause is None or (until is not None and _now() + pause > until):
                    raise
                await asyncio.sleep(pause)

    def _next_until(self, stop: int | None) -> float | None:
        """Tell until when the next block is waited for, by the loop's clock; None is for ever."""
        return None if stop is None else _now() + self._connection.patience.answer

    async def _within(
        self, answers: AsyncIterator[DeliverResponse], until: float | None, following: int
    ) -> DeliverResponse | None:
        """Give the next answer, or None where there is none more."""
        try:
            async with asyncio.timeout_at(until):
                return await anext(answers, None)
        except TimeoutError as error:
            raise FabricUnavailable(
                f"{self._address} does not show block {following}, which should be there."
            ) from error

    async def _answers(
        self, method: str, seek: SeekInfo, retries: _StreamRetries
    ) -> AsyncGenerator[DeliverResponse, None]:
        """Ask once, and give the answers up to the status that ends them."""
        call = self._connection.stream(method)
        try:
            await call.wait_for_connection()
            retries.connected()
            await call.write(self._request(seek))
            await call.done_writing()
            async for encoded in call:
                answer = read_message(DeliverResponse, encoded, FabricAnswerInvalid)
                if answer.WhichOneof("Type") != "status":
                    yield answer
                    continue
                _check_status(answer.status, self._address)
                return
            raise LedgerUnavailable(f"{self._address} ended its blocks without a word.")
        except grpc.aio.AioRpcError as error:
            raise broken(self._address, error) from error
        except asyncio.InvalidStateError as error:  # the call ended while it was written to
            raise LedgerUnavailable(f"{self._address} ended a call: {error}.") from error
        finally:
            with contextlib.suppress(Exception):
                call.cancel()

    def _request(self, seek: SeekInfo) -> Envelope:
        header = ChannelHeader(
            type=DELIVER_SEEK_INFO,
            channel_id=self._channel,
            tls_cert_hash=self._connection.endpoint.binding,
        )
        header.timestamp.GetCurrentTime()
        return signed_envelope(self._signer, header, seek.SerializeToString())


def _now() -> float:
    return asyncio.get_running_loop().time()


def _at(number: int) -> SeekPosition:
    return SeekPosition(specified=SeekSpecified(number=number))


def _full(answer: DeliverResponse) -> tuple[int, bytes]:
    if answer.WhichOneof("Type") != "block":
        raise FabricAnswerInvalid("A peer gave something else than a block.")
    return answer.block.header.number, answer.block.SerializeToString()


def _filtered(answer: DeliverResponse) -> tuple[int, FilteredBlock]:
    if answer.WhichOneof("Type") != "filtered_block":
        raise FabricAnswerInvalid("A peer gave something else than a filtered block.")
    return answer.filtered_block.number, answer.filtered_block


def _check_status(status: int, address: str) -> None:
    if status == SUCCESS:
        return
    name = Status.Name(status) if status in Status.values() else str(status)
    what = f"{address} gives no blocks: {name}."
    if status == FORBIDDEN:
        raise FabricAccessDenied(what)
    if status in _NOT_NOW:
        raise LedgerUnavailable(what)
    raise FabricRefused(what)
