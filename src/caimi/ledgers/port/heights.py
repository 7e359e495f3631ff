"""When a read is of: the newest state, the newest final one, or one that is past."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias


class Moving(Enum):
    """A state that moves on as blocks come."""

    NEWEST = "newest"
    FINAL = "final"


@dataclass(frozen=True, slots=True)
class Exactly:
    """The state after the block at a height. Ledgers that keep no past raise `HistoryGone`."""

    height: int


At: TypeAlias = Moving | Exactly
NEWEST: Final = Moving.NEWEST
FINAL: Final = Moving.FINAL
