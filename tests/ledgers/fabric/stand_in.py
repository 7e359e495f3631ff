"""A channel in this process: two organisations' chaincode, their endorsements, and MVCC.

It stands in for peers and orderers where a test is about the chaincode and the copy alone: versions
of what was read are checked at commit as a peer does (`MVCC_READ_CONFLICT`), organisations that
answer differently make no transaction, and each has a clock of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from caimi.errors.fabric import ChaincodeRefusal, FabricChaincodeRefused, FabricEndorsersDisagree
from caimi.errors.ledgers import LedgerBehind
from caimi.hashing import sha256
from caimi.ledgers.fabric.chaincode.contract import Chaincode
from caimi.ledgers.fabric.channel import (
    ChannelBlock,
    Committed,
    KnownChain,
    TransactionConflict,
    ValidTransaction,
    Write,
)

Version = tuple[int, int]


@dataclass
class Simulation:
    """What one organisation's try of a transaction read, wrote and told (port `ChaincodeStub`)."""

    values: dict[str, tuple[bytes, Version]]
    arguments: Sequence[bytes]
    reads: dict[str, Version | None] = field(default_factory=dict)
    writes: dict[str, bytes | None] = field(default_factory=dict)
    answer: bytes = b""
    channel: str = "stand-in"

    def get(self, name: str) -> bytes | None:
        found = self.values.get(name)
        self.reads[name] = None if found is None else found[1]
        return None if found is None else found[0]

    def put(self, name: str, value: bytes) -> None:
        assert name, "a peer refuses empty names"
        assert value, "a peer refuses empty values"
        self.writes[name] = value

    def delete(self, name: str) -> None:
        self.writes[name] = None

    def raise_event(self, event: str, payload: bytes) -> None:
        raise AssertionError("nothing is told but by what is written")


@dataclass
class StandIn:
    """What is true of one channel, whoever is connected; each transaction makes a block."""

    organisations: Sequence[Chaincode]
    values: dict[str, tuple[bytes, Version]] = field(default_factory=dict)
    blocks: list[ChannelBlock] = field(default_factory=list)
    going: asyncio.Event = field(default_factory=asyncio.Event)
    conflicts: int = 0

    def __post_init__(self) -> None:
        self.going.set()
        self.close_block(())

    def endorse(self, function: str, arguments: Sequence[bytes]) -> Simulation:
        """Have every organisation try a transaction; raises as `Channel.submit`."""
        tried = []
        for each in self.organisations:
            called = (function.encode("utf-8", "surrogatepass"), *arguments)
            simulation = Simulation(self.values, called)
            try:
                simulation.answer = each.invoke(simulation)
            except ChaincodeRefusal as error:
                raise FabricChaincodeRefused(error.what) from error
            tried.append(simulation)
        if any(other != tried[0] for other in tried):
            raise FabricEndorsersDisagree("Organisations gave different answers.")
        return tried[0]

    def commit(self, tried: Simulation) -> int:
        """Order a transaction into a block; gives its number.

        Raises:
            TransactionConflict: what it read has changed.
        """
        number = len(self.blocks)
        for name, version in tried.reads.items():
            found = self.values.get(name)
            if (None if found is None else found[1]) != version:
                self.conflicts += 1
                self.close_block(())
                raise TransactionConflict
        for name, value in tried.writes.items():
            if value is None:
                self.values.pop(name, None)
            else:
                self.values[name] = (value, (number, 0))
        writes = tuple(Write(*each) for each in tried.writes.items())
        self.close_block((ValidTransaction(f"{number:064x}", writes),))
        return number

    def close_block(self, transactions: tuple[ValidTransaction, ...]) -> None:
        """Make a block."""
        before = self.blocks[-1].hash if self.blocks else b""
        digest = sha256(before + repr(transactions).encode())
        configuration = None if self.blocks else b"the first"
        self.blocks.append(ChannelBlock(len(self.blocks), digest, transactions, configuration))


@dataclass
class StandInChannel:
    """One connection (port `Channel`)."""

    there: StandIn

    async def height(self) -> int:
        await asyncio.sleep(0)
        return len(self.there.blocks)

    async def blocks(self, known: KnownChain | None, last: int) -> AsyncIterator[ChannelBlock]:
        for number in range(0 if known is None else known.number + 1, last + 1):
            await asyncio.sleep(0)
            if number >= len(self.there.blocks):
                raise LedgerBehind(f"There is no block {number}.")
            yield self.there.blocks[number]

    async def ask(self, function: str, arguments: Sequence[bytes]) -> bytes:
        await asyncio.sleep(0)
        return self.there.endorse(function, arguments).answer

    async def submit(self, function: str, arguments: Sequence[bytes]) -> Committed:
        tried = self.there.endorse(function, arguments)
        await asyncio.sleep(0)
        await self.there.going.wait()
        return Committed(self.there.commit(tried), tried.answer)

    async def aclose(self) -> None:
        """There is nothing to close."""


@dataclass
class LosingChannel(StandInChannel):
    """One that loses the next answer of a transaction that took effect."""

    failure: Exception | None = None

    async def submit(self, function: str, arguments: Sequence[bytes]) -> Committed:
        done = await super().submit(function, arguments)
        if self.failure is not None and function == "acts":
            failure, self.failure = self.failure, None
            raise failure
        return done
