"""A channel as the ledger needs it: blocks that were checked, transactions that were ordered."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Write:
    """A value that a transaction wrote under a name, or None where it deleted it."""

    name: str
    value: bytes | None


@dataclass(frozen=True, slots=True)
class ValidTransaction:
    """A valid transaction of the chaincode: what it wrote, in order, and its event's payload."""

    tx: str
    writes: tuple[Write, ...]
    event: bytes | None


@dataclass(frozen=True, slots=True)
class ChannelBlock:
    """A checked block: its number, its header's hash, and the chaincode's valid transactions."""

    number: int
    hash: bytes
    transactions: tuple[ValidTransaction, ...]


@dataclass(frozen=True, slots=True)
class Committed:
    """A valid transaction: in which block it is, and what the chaincode answered."""

    block: int
    answer: bytes


class Conflict(Exception):
    """A transaction that did not count, since others changed what it had read: try it again."""


class Channel(Protocol):
    """One channel's chaincode, by way of peers."""

    async def height(self) -> int:
        """Give how many blocks there are.

        Raises:
            LedgerUnavailable: no peer answers.
        """

    def blocks(self, first: int, last: int) -> AsyncIterator[ChannelBlock]:
        """Give those blocks, each checked against the one before; raises as `height`.

        Raises:
            LedgerAnswerInvalid: a block is not what the orderers signed, or not the next.
        """

    async def ask(self, function: str, arguments: Sequence[bytes]) -> bytes:
        """Give what the chaincode answers, without a transaction; raises as `submit`."""

    async def submit(self, function: str, arguments: Sequence[bytes]) -> Committed:
        """Have a transaction endorsed, ordered and committed.

        Raises:
            Conflict: it did not count, or peers answered differently.
            LedgerRefused: an organisation does not endorse it; says why.
            LedgerUnavailable: peers or orderers cannot be reached: it may yet be committed.
        """

    async def aclose(self) -> None:
        """Let go of the connections."""
