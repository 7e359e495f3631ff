"""A channel by way of whichever of several peers answers (port `Channel`)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TypeVar

from caimi.errors.ledgers import LedgerUnavailable
from caimi.ledgers.fabric.channel import Channel, ChannelBlock, Committed, KnownChain
from caimi.logs import logger

Answer = TypeVar("Answer")
_log = logger(__name__)


class FailoverChannel:
    """Asks one peer until it cannot be reached, and then the next; each is opened when it is asked.

    Whatever is asked may be asked twice: acts and terms are taken once.
    """

    def __init__(self, peers: Sequence[Callable[[], Channel]]) -> None:
        self._peers = peers
        self._opened: dict[int, Channel] = {}
        self._asked = 0

    async def height(self) -> int:
        return await self._of_one(lambda peer: peer.height())

    async def blocks(self, known: KnownChain | None, last: int) -> AsyncIterator[ChannelBlock]:
        number, peer = self._asked, self._peer()
        try:
            async for block in peer.blocks(known, last):
                yield block
        except LedgerUnavailable:
            self._leave(number)
            raise

    async def ask(self, function: str, arguments: Sequence[bytes]) -> bytes:
        return await self._of_one(lambda peer: peer.ask(function, arguments))

    async def submit(self, function: str, arguments: Sequence[bytes]) -> Committed:
        return await self._of_one(lambda peer: peer.submit(function, arguments))

    async def aclose(self) -> None:
        for peer in self._opened.values():
            await peer.aclose()

    def _peer(self) -> Channel:
        if self._asked not in self._opened:
            self._opened[self._asked] = self._peers[self._asked]()
        return self._opened[self._asked]

    async def _of_one(self, question: Callable[[Channel], Awaitable[Answer]]) -> Answer:
        for _ in self._peers[1:]:
            number = self._asked
            try:
                return await question(self._peer())
            except LedgerUnavailable as error:
                _log.warning("%s", error)
                self._leave(number)
        return await question(self._peer())

    def _leave(self, number: int) -> None:
        """Ask another from now on, unless somebody else has seen to that."""
        if self._asked == number:
            self._asked = (number + 1) % len(self._peers)
