"""One peer is asked until it cannot be reached, and then the next."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import pytest

from caimi.errors.fabric import FabricChaincodeRefused, FabricUnavailable
from caimi.ledgers.fabric.channel import ChannelBlock, Committed, KnownChain
from caimi.ledgers.fabric.failover import FailoverChannel


class PaperChannel:
    """A peer's channel that is down, or tells who it is."""

    def __init__(self, name: bytes, error: Exception | None = None) -> None:
        self.name = name
        self.error = error
        self.closed = False
        self.asked = 0

    def _answer(self) -> None:
        self.asked += 1
        if self.error is not None:
            raise self.error

    async def height(self) -> int:
        self._answer()
        return 7

    async def blocks(self, known: KnownChain | None, last: int) -> AsyncIterator[ChannelBlock]:
        self._answer()
        yield ChannelBlock(last, self.name, ())

    async def ask(self, function: str, arguments: Sequence[bytes]) -> bytes:
        self._answer()
        return self.name

    async def submit(self, function: str, arguments: Sequence[bytes]) -> Committed:
        self._answer()
        return Committed(1, self.name)

    async def aclose(self) -> None:
        self.closed = True


def down() -> FabricUnavailable:
    return FabricUnavailable("It is down.")


def over(*peers: PaperChannel) -> FailoverChannel:
    return FailoverChannel([lambda peer=peer: peer for peer in peers])


async def test_the_first_is_asked_and_the_others_are_not_even_opened() -> None:
    first, second = PaperChannel(b"1"), PaperChannel(b"2")
    channel = over(first, second)
    assert await channel.ask("about", ()) == b"1"
    assert (await channel.submit("acts", ())).answer == b"1"
    await channel.aclose()
    assert (first.closed, second.closed, second.asked) == (True, False, 0)


async def test_the_next_is_asked_when_one_is_down_and_stays_the_one() -> None:
    first, second = PaperChannel(b"1", down()), PaperChannel(b"2")
    channel = over(first, second)
    assert await channel.height() == 7
    first.error = None
    assert await channel.ask("about", ()) == b"2"
    assert (await channel.submit("acts", ())).answer == b"2"
    assert first.asked == 1


async def test_where_all_are_down_each_is_asked_once_and_that_is_said() -> None:
    peers = [PaperChannel(b"", down()) for _ in range(3)]
    with pytest.raises(FabricUnavailable):
        await over(*peers).ask("about", ())
    assert [peer.asked for peer in peers] == [1, 1, 1]


async def test_a_peer_that_refuses_is_not_down() -> None:
    first, second = PaperChannel(b"1", FabricChaincodeRefused("No.")), PaperChannel(b"2")
    with pytest.raises(FabricChaincodeRefused):
        await over(first, second).submit("acts", ())
    assert second.asked == 0


async def test_blocks_that_break_off_come_from_the_next_when_they_are_asked_for_again() -> None:
    first, second = PaperChannel(b"1", down()), PaperChannel(b"2")
    channel = over(first, second)
    with pytest.raises(FabricUnavailable):
        [block async for block in channel.blocks(None, 3)]
    assert [block.hash async for block in channel.blocks(None, 3)] == [b"2"]
