"""When a block is trusted never to change: a policy per ledger."""

from __future__ import annotations

import re
from dataclasses import dataclass

from caimi.errors.ledgers import FinalityInvalid

MAX_DEPTH = 999_999
_DEPTH = re.compile(r"depth:([0-9]{1,6})")


@dataclass(frozen=True, slots=True)
class Depth:
    """A block is final when `blocks` blocks stand on it."""

    blocks: int

    def __post_init__(self) -> None:
        if not 0 <= self.blocks <= MAX_DEPTH:
            raise FinalityInvalid(f"A depth of {self.blocks} is not between 0 and {MAX_DEPTH}.")

    def height(self, head: int) -> int:
        """Give the newest final height under `head`; the genesis block is final."""
        return max(head - self.blocks, 0)

    def __str__(self) -> str:
        """Give the text of the configuration."""
        return f"depth:{self.blocks}"


@dataclass(frozen=True, slots=True)
class Finalized:
    """A block is final when the ledger's consensus says so (the ``finalized`` tag, EIP-3675)."""

    def __str__(self) -> str:
        """Give the text of the configuration."""
        return "finalized"


Finality = Depth | Finalized


def parse_finality(text: str) -> Finality:
    """Read ``depth:N`` or ``finalized``.

    Raises:
        FinalityInvalid: it is neither.
    """
    if text == "finalized":
        return Finalized()
    depth = _DEPTH.fullmatch(text)
    if depth is None:
        raise FinalityInvalid(f"{text!r} is not a finality policy.")
    return Depth(int(depth[1]))
