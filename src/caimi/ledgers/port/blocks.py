"""Ledgers, their blocks and heights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NewType

LedgerId = NewType("LedgerId", str)
"""A CAIP-2 chain id, such as ``eip155:31337``."""


@dataclass(frozen=True, slots=True)
class Block:
    """A block as a ledger reports it.

    `time` never runs backwards: the block's own, or, on a ledger whose blocks carry none, the
    reading of a clock that all who keep the ledger agree on.
    """

    height: int
    time: int
    hash: bytes
