"""One ledger seen through several nodes, which must not contradict each other.

One poisoned node must not make a validator sign (KelpDAO, April 2026). A node that is down or lags
says nothing; nodes that say different things about a final block cannot all be right, and then
nothing is believed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from caimi.errors.base import CaimiError
from caimi.errors.messaging import EndpointsDisagree, NotFinal, RangeTooLarge, TooFewEndpoints
from caimi.hashing import keccak256
from caimi.ibc.path import Path, PathKind
from caimi.ledgers.past import at_final
from caimi.ledgers.port import Block, Exactly, Ledger
from caimi.messaging.reading import Reading, read_whole_range

# A question must not hang on one node that never answers: the ledger port's own timeouts and
# retries end earlier.
ANSWER_SECONDS: Final = 90.0
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Seen(Generic[T]):
    """What the nodes agree on, and the hash they give of an earlier block that was asked about."""

    what: T
    pinned: bytes | None


@dataclass(frozen=True, slots=True)
class _Answer(Generic[T]):
    name: str
    what: T
    key: Hashable
    said: str
    pinned: bytes | None


class Witnesses:
    """Views of one ledger by name, of which `quorum` must answer; by default all.

    However many answer, no two may contradict each other.

    Construction raises `TooFewEndpoints` when the quorum is below 2 of several, or above their
    number, or when they are of different ledgers.
    """

    def __init__(self, views: Mapping[str, Ledger], quorum: int | None = None) -> None:
        if not views or (quorum is not None and not min(2, len(views)) <= quorum <= len(views)):
            raise TooFewEndpoints(f"A quorum of {quorum} of {len(views)} endpoints is impossible.")
        first = next(iter(views.values()))
        if any(view.id != first.id for view in views.values()):
            raise TooFewEndpoints(f"Not all endpoints of {first.id} are of that ledger.")
        self._views = dict(views)
        self._quorum = quorum or len(views)
        self.ledger = first

    @classmethod
    def of(cls, ledger: Ledger) -> Witnesses:
        """Take one view as all there is."""
        return cls({"the node": ledger})

    @property
    def origin(self) -> bytes:
        """The ledger's gateway as statements name it: keccak256 of its address."""
        return keccak256(self.ledger.gateway.address)

    async def read_range(
        self, from_height: int, height: int, pin: int | None = None
    ) -> Seen[Reading]:
        """Read the blocks (`from_height`, `height`], and the hash of block `pin` at or below.

        Raises:
            EndpointsDisagree: two contradict each other.
            EventsMissing: one leaves something out; with several it counts as no answer.
            NotFinal: for too many of them `height` is not final yet.
            TooFewEndpoints: too few answer. With one endpoint its own error is raised.
            RangeTooLarge: there is too much in the range.
        """

        async def read(view: Ledger, block: Block) -> Reading:
            return await read_whole_range(view.gateway, from_height, block)

        def key(reading: Reading) -> Hashable:
            return reading.block, reading.tree.merkle.root, len(reading.tree.keys)

        def say(reading: Reading) -> str:
            block, tree = reading.block, reading.tree
            return (
                f"block 0x{block.hash.hex()} at {block.time}, "
                f"root 0x{tree.merkle.root.hex()} of {len(tree.keys)}"
            )

        return await self._agree(height, pin, read, key, say)

    async def read_receipts(
        self, height: int, packets: Sequence[tuple[str, int]], pin: int | None = None
    ) -> Seen[tuple[Block, tuple[bool, ...]]]:
        """Read which (destination client, sequence) were received at `height`; else as above."""

        async def read(view: Ledger, block: Block) -> tuple[Block, tuple[bool, ...]]:
            received = await at_final(height, lambda at: view.gateway.receipts(packets, at))
            return block, tuple(received)

        def say(found: tuple[Block, tuple[bool, ...]]) -> str:
            block, received = found
            return (
                f"block 0x{block.hash.hex()} at {block.time}, "
                f"{sum(received)} of {len(received)} received"
            )

        return await self._agree(height, pin, read, lambda found: found, say)

    async def read_paths(
        self, height: int, paths: Sequence[Path], pin: int | None = None
    ) -> Seen[tuple[Block, tuple[bytes, ...]]]:
        """Read what lies at IBC paths at `height`, 32 bytes each, zero when absent; else as above.

        Of a receipt only whether it is there: its bytes are not the same everywhere.
        """

        async def read(view: Ledger, block: Block) -> tuple[Block, tuple[bytes, ...]]:
            stored = [path for path in paths if path.kind is not PathKind.RECEIPT]
            received = [path for path in paths if path.kind is PathKind.RECEIPT]
            kept = await view.gateway.commitments(stored, Exactly(height))
            values = dict(zip(stored, kept, strict=True))
            names = [(path.client, path.sequence) for path in received]
            present = await view.gateway.receipts(names, Exactly(height))
            values.update(
                (path, bytes(31) + bytes([there]))
                for path, there in zip(received, present, strict=True)
            )
            return block, tuple(values[path] for path in paths)

        def say(found: tuple[Block, tuple[bytes, ...]]) -> str:
            block, values = found
            return (
                f"block 0x{block.hash.hex()} at {block.time}, "
                f"0x{keccak256(b''.join(values)).hex()} at {len(values)} paths"
            )

        return await self._agree(height, pin, read, lambda found: found, say)

    async def block(self, height: int) -> Block:
        """Give the block at a final height; raises as `read_range`."""

        async def read(_view: Ledger, block: Block) -> Block:
            return block

        def say(block: Block) -> str:
            return f"block 0x{block.hash.hex()} at {block.time}"

        return (await self._agree(height, None, read, lambda block: block, say)).what

    async def _agree(
        self,
        height: int,
        pin: int | None,
        read: Callable[[Ledger, Block], Awaitable[T]],
        key: Callable[[T], Hashable],
        say: Callable[[T], str],
    ) -> Seen[T]:
        async def one(name: str, view: Ledger) -> _Answer[T] | CaimiError:
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    what, pinned = await _look(view, height, pin, read)
            except CaimiError as error:
                return error
            except TimeoutError:
                return TooFewEndpoints(f"No answer within {ANSWER_SECONDS:g} s.")
            return _Answer(name, what, (key(what), pinned), say(what), pinned)

        found = await asyncio.gather(*(one(name, view) for name, view in self._views.items()))
        answers = [each for each in found if isinstance(each, _Answer)]
        failures = [each for each in found if isinstance(each, CaimiError)]
        if len({answer.key for answer in answers}) > 1:
            raise EndpointsDisagree(
                f"Endpoints of {self.ledger.id} contradict each other at {height}: "
                + "; ".join(f"{each.name}: {_of(each, pin)}" for each in answers)
            )
        if len(answers) < self._quorum:
            raise self._too_few(height, len(answers), failures)
        return Seen(answers[0].what, answers[0].pinned)

    def _too_few(self, height: int, count: int, failures: Sequence[CaimiError]) -> CaimiError:
        if len(self._views) == 1:
            return failures[0]
        for failure in failures:
            if isinstance(failure, RangeTooLarge):
                return failure
        lagging = sum(isinstance(failure, NotFinal) for failure in failures)
        what = (
            f"{count} of the {self._quorum} endpoints of {self.ledger.id} needed show block "
            f"{height} final: " + "; ".join(f"{each.code} {each.what}" for each in failures)
        )
        return NotFinal(what) if count + lagging >= self._quorum else TooFewEndpoints(what)


async def _look(
    view: Ledger,
    height: int,
    pin: int | None,
    read: Callable[[Ledger, Block], Awaitable[T]],
) -> tuple[T, bytes | None]:
    final = await view.finalized()
    if height > final.height:
        raise NotFinal(f"Block {height} of {view.id} is not final; {final.height} is.")
    block = await view.block(height)
    what = await read(view, block)
    pinned = None if pin is None else (await view.block(pin)).hash
    # Events of one fork under the hash of another would be true of neither.
    if (await view.block(height)).hash != block.hash:
        raise NotFinal(f"Block {height} of {view.id} was replaced while it was read.")
    return what, pinned


def _of(answer: _Answer[T], pin: int | None) -> str:
    if answer.pinned is None:
        return answer.said
    return f"{answer.said}, earlier block {pin} 0x{answer.pinned.hex()}"
