"""Ledgers, their blocks and heights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NewType

LedgerId = NewType("LedgerId", str)
"""A CAIP-2 chain id, such as ``eip155:31337``."""


@dataclass(frozen=True, slots=True)
class Block:
    """A block as a ledger reports it."""

    height: int
    time: int
    hash: bytes
