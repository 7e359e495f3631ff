"""What a relayer did in one step, and what it could not do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from caimi.errors.base import CaimiError
from caimi.errors.messaging import RangeTooLarge
from caimi.ledgers.port import Done, LedgerId, Route, SentPacket
from caimi.messaging.open_packets import AnsweredPacket, EarnedFee

Entry: TypeAlias = SentPacket | AnsweredPacket | EarnedFee
E = TypeVar("E", SentPacket, AnsweredPacket, EarnedFee)


def last_block(entry: Entry) -> int:
    """Give the height that a statement about the entry must reach: deeper where that is asked."""
    return max(entry.height, entry.ready) if isinstance(entry, SentPacket) else entry.height


@dataclass(frozen=True, slots=True)
class Carried:
    """One transaction that moved packets, or collected `income` for having moved them.

    `what` is deliver, acknowledge, time out or collect.
    """

    what: str
    route: Route
    packets: int
    receipt: Done[None]
    income: int = 0


@dataclass(slots=True)
class Progress:
    """What one step did, and what it could not do; `behind` when blocks are left to read.

    `prices` is what work costs on the ledgers that have a cap, `capped` those above it.
    """

    carried: list[Carried] = field(default_factory=list)
    failures: list[CaimiError] = field(default_factory=list)
    behind: bool = False
    prices: dict[LedgerId, int] = field(default_factory=dict)
    capped: set[LedgerId] = field(default_factory=set)

    @property
    def did_anything(self) -> bool:
        """Whether a transaction was sent."""
        return bool(self.carried)

    async def attempt(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do `work`; its failure is noted and stops nothing else."""
        try:
            await work()
        except CaimiError as error:
            self.failures.append(error)

    async def attempt_in_parts(
        self, batch: Sequence[E], work: Callable[[Sequence[E]], Awaitable[None]]
    ) -> None:
        """Do `work` on `batch`, or on its halves when too much else is in the blocks it spans.

        `batch` is in the order of its blocks.
        """
        try:
            await work(batch)
        except RangeTooLarge as error:
            if batch[0].height == batch[-1].height:
                self.failures.append(error)
                return
            half = len(batch) // 2
            await self.attempt_in_parts(batch[:half], work)
            await self.attempt_in_parts(batch[half:], work)
        except CaimiError as error:
            self.failures.append(error)
