"""Acts that wait for the same peers go in one transaction: two at once would undo each other."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from caimi.errors.fabric import FabricChaincodeRefused
from caimi.errors.ledgers import CallInvalid, LedgerAnswerInvalid
from caimi.ledgers.fabric.chaincode.contract import MAX_ACTS, ActStatus
from caimi.ledgers.fabric.channel import Channel, Committed, TransactionConflict
from caimi.ledgers.machine.values import Value, decode_value

MAX_BYTES: Final = 4 << 20
_GATHER: Final = 0.005  # seconds
_BACK_OFF: Final = 0.05  # seconds
_LONGEST: Final = 1.0


@dataclass(eq=False)
class _Waiting:
    raw: bytes
    taken: asyncio.Future[int] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class ActBatches:
    """Hands acts to a channel's chaincode, one transaction at a time."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._waiting: list[_Waiting] = []
        self._sending: asyncio.Task[None] | None = None

    async def carry_out(self, raw: bytes) -> int:
        """Have an act carried out, in this transaction or one before; gives this one's block.

        It is tried again while others are quicker; whoever waits decides how long. One that nobody
        waits for any more, and that no transaction has yet, is left out.

        Raises:
            CallInvalid: the chaincode does not admit it.
            LedgerRefused, LedgerUnavailable: see `Channel.submit`.
        """
        mine = _Waiting(raw)
        self._waiting.append(mine)
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send_all())
        try:
            return await mine.taken
        finally:
            if mine in self._waiting:
                self._waiting.remove(mine)

    async def aclose(self) -> None:
        """Send nothing more."""
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)

    async def _send_all(self) -> None:
        await asyncio.sleep(_GATHER)
        pause, most = _BACK_OFF, MAX_ACTS
        while batch := self._next(most):
            try:
                done = await self._channel.submit("acts", [each.raw for each in batch])
                endings = _endings(done, len(batch))
            except TransactionConflict:
                await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - no secret
                pause = min(2 * pause, _LONGEST)
                continue
            except FabricChaincodeRefused as refused:  # of one act, perhaps, or of so many together
                if len(batch) > 1:
                    most = len(batch) // 2
                    continue
                self._end(batch, [refused])
            except Exception as error:
                self._end(batch, [error] * len(batch))
            else:
                pause = _BACK_OFF
                self._end(batch, endings)
            most = min(MAX_ACTS, 2 * most)

    def _next(self, most: int) -> list[_Waiting]:
        batch: list[_Waiting] = []
        size = 0
        for each in self._waiting[:most]:
            size += len(each.raw)
            if batch and size > MAX_BYTES:
                break
            batch.append(each)
        return batch

    def _end(self, batch: list[_Waiting], endings: Sequence[Exception | int]) -> None:
        for each, ending in zip(batch, endings, strict=True):
            if each in self._waiting:
                self._waiting.remove(each)
            if each.taken.done():
                continue
            if isinstance(ending, Exception):
                each.taken.set_exception(ending)
            else:
                each.taken.set_result(ending)


def _endings(done: Committed, count: int) -> list[Exception | int]:
    try:
        rows = decode_value(done.answer)
    except ValueError:
        rows = None
    if not isinstance(rows, tuple) or len(rows) != count:
        raise LedgerAnswerInvalid("The chaincode answered something else than what became of acts.")
    return [_refusal(row) or done.block for row in rows]


def _refusal(row: Value) -> Exception | None:
    match row:
        case (ActStatus.DONE | ActStatus.KNOWN, str()):
            return None
        case (ActStatus.INVALID, str(why)):
            return CallInvalid(f"The chaincode does not admit the act: {why}")
    return LedgerAnswerInvalid("The chaincode answered something else than what became of an act.")
