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
    """A valid transaction, by whichever chaincode: what it wrote of this chaincode's, in order."""

    tx: str
    writes: tuple[Write, ...]


@dataclass(frozen=True, slots=True)
class ChannelBlock:
    """A checked block: its number, its header's hash, and the chaincode's valid transactions.

    `configuration` is the whole block where it configures the channel, else None.
    """

    number: int
    hash: bytes
    transactions: tuple[ValidTransaction, ...]
    configuration: bytes | None = None


@dataclass(frozen=True, slots=True)
class KnownChain:
    """How far a channel's blocks were checked: the last one's number and hash.

    `configuration` is the block that configured the channel last, whose number is `configured_at`.
    """

    number: int
    hash: bytes
    configured_at: int
    configuration: bytes


@dataclass(frozen=True, slots=True)
class Committed:
    """A valid transaction: in which block it is, and what the chaincode answered."""

    block: int
    answer: bytes


class TransactionConflict(Exception):
    """A transaction that did not count, since others changed what it had read: try it again."""


class Channel(Protocol):
    """One channel's chaincode, by way of peers."""

    async def height(self) -> int:
        """Give how many blocks there are.

        Raises:
            LedgerUnavailable: no peer answers.
        """

    def blocks(self, known: KnownChain | None, last: int) -> AsyncIterator[ChannelBlock]:
        """Give the blocks after those known, up to `last`, each checked against the one before.

        Raises:
            LedgerUnavailable: no peer answers.
            FabricError: a block is not what orderers signed, or not the next, or a transaction in
                it is said to be valid that too few organisations endorsed.
        """

    async def ask(self, function: str, arguments: Sequence[bytes]) -> bytes:
        """Give what the chaincode answers, without a transaction; raises as `submit`."""

    async def submit(self, function: str, arguments: Sequence[bytes]) -> Committed:
        """Have a transaction endorsed, ordered and committed.

        Raises:
            TransactionConflict: it did not count.
            FabricRefused: an organisation does not endorse it, or they answer differently.
            LedgerUnavailable: peers or orderers cannot be reached: it may yet be committed.
        """

    async def aclose(self) -> None:
        """Let go of the connections."""
