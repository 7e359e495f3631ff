"""How much work a batch's transaction takes, learned from those that were included.

Having a node estimate the gas of a hundred packets makes it run them some twenty times: with two
ledgers on one machine that was half of all the work of relaying.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Final

# Work is paid for as it is used, so a limit may be generous; it must cover what contracts insist
# on having left for one more callback (`Gateway.CALLBACK_GAS`), used or not.
MARGIN: Final = 1.25
RESERVE: Final = 1_500_000
# An expensive packet is remembered for some hundred transactions.
_FORGETTING: Final = 0.99


class Workload:
    """The most work a packet of each kind took lately."""

    def __init__(self) -> None:
        self._each: dict[Hashable, float] = {}

    def limit(self, kind: Hashable, packets: int) -> int:
        """Give work that should suffice for `packets`; 0 when nothing is known of their kind."""
        each = self._each.get(kind)
        return 0 if each is None else math.ceil(each * packets * MARGIN) + RESERVE

    def within(self, kind: Hashable, work: int) -> int:
        """Give how many packets of a kind should fit `work`, one at least; 100 of an unknown."""
        each = self._each.get(kind)
        return 100 if each is None else max(1, int(work / each))

    def took(self, kind: Hashable, packets: int, work: int) -> None:
        """Note what a transaction of `packets` took."""
        self._each[kind] = max(work / packets, self._each.get(kind, 0.0) * _FORGETTING)
