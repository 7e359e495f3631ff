"""What a relayer did in one step, and what it could not do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from caimi.errors.base import CaimiError
from caimi.ledgers.port import Done, LedgerId, Route
from caimi.logs import Fields, fields


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

    `about` says of each failure what was being done. `prices` is what work costs on the ledgers
    that have a cap, `capped` those above it.
    """

    carried: list[Carried] = field(default_factory=list)
    failures: list[CaimiError] = field(default_factory=list)
    about: list[Fields] = field(default_factory=list)
    behind: bool = False
    prices: dict[LedgerId, int] = field(default_factory=dict)
    capped: set[LedgerId] = field(default_factory=set)

    @property
    def did_anything(self) -> bool:
        """Whether a transaction was sent."""
        return bool(self.carried)

    def fail(self, error: CaimiError) -> None:
        """Note what went wrong, and what was being done."""
        self.failures.append(error)
        self.about.append(fields())

    async def attempt(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do `work`; its failure is noted and stops nothing else."""
        try:
            await work()
        except CaimiError as error:
            self.fail(error)
