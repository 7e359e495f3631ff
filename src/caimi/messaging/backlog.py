"""What waits to be carried, and in which batches it goes."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from typing import Final, TypeAlias

from caimi.ibc.path import Path
from caimi.ledgers.port import LedgerId, SentPacket
from caimi.messaging.entries import E, last_block
from caimi.messaging.policy import RoutePolicy
from caimi.messaging.retries import Retries
from caimi.messaging.turns import RelayerSchedule
from caimi.messaging.validator import MAX_BLOCKS

URGENT_SECONDS: Final = 600
"""A packet with less time left than this waits for no others."""

Name: TypeAlias = tuple[str, LedgerId, str, int]
"""What is to be done, and for which packet: (what, source, source client, sequence)."""


class Backlog:
    """Chooses what goes now: what is due again, is this relayer's turn, and fills a batch."""

    def __init__(
        self, clock: Callable[[], float], turns: Mapping[LedgerId, RelayerSchedule]
    ) -> None:
        self.retries = Retries(clock)
        self._clock = clock
        self._turns = turns
        self._since: dict[Name, float] = {}

    def keep(self, names: Container[Name]) -> None:
        """Forget all but `names`."""
        self.retries.keep(names)
        self._since = {name: since for name, since in self._since.items() if name in names}

    def batches(
        self,
        entries: Iterable[tuple[Name, E]],
        policy: RoutePolicy,
        most: int,
        now: int,
    ) -> list[list[E]]:
        """Give the batches that go now, each of `most` entries at most, in the blocks' order.

        `now` is the destination's time. One statement can cover a batch's blocks.
        """
        clock = self._clock()
        chosen: list[tuple[Name, E]] = []
        for name, entry in entries:
            age = clock - self._since.setdefault(name, clock)
            if self.retries.due(name) and self._mine(name, age):
                chosen.append((name, entry))
        chosen.sort(key=lambda each: each[1].height)
        batches: list[list[tuple[Name, E]]] = []
        for name, entry in chosen:
            last = batches[-1] if batches else None
            if (
                last is None
                or len(last) == most
                or last_block(entry) - last[0][1].height >= MAX_BLOCKS
            ):
                batches.append([(name, entry)])
            else:
                last.append((name, entry))
        if batches and len(batches[-1]) < most and policy.wait_seconds > 0:
            oldest = min(self._since[name] for name, _ in batches[-1])
            urgent = any(_urgent(entry, now) for _, entry in batches[-1])
            if clock - oldest < policy.wait_seconds and not urgent:
                batches.pop()
        return [[entry for _, entry in batch] for batch in batches]

    def _mine(self, name: Name, age: float) -> bool:
        # A fee is collected by whom it is for.
        what, source, client, sequence = name
        turns = self._turns.get(source)
        if turns is None or what == "collect":
            return True
        return turns.mine(Path.commitment(client, sequence).key, age)


def _urgent(entry: E, now: int) -> bool:
    return isinstance(entry, SentPacket) and entry.packet.timeout - now < URGENT_SECONDS
