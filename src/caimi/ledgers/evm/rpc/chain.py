"""One EVM ledger's reads in the port's terms: blocks, balances, calls at a height."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from caimi.errors.ledgers import (
    HistoryGone,
    LedgerAnswerInvalid,
    LedgerBehind,
    LedgerRefused,
    LedgerUnavailable,
    TransactionReverted,
    WrongLedger,
)
from caimi.ledgers.evm.abi.codec import Value
from caimi.ledgers.evm.abi.interface import Method
from caimi.ledgers.evm.abi.quantities import data, fields, hexed, quantity
from caimi.ledgers.evm.rpc.client import Request, Rpc, RpcRefusal
from caimi.ledgers.evm.rpc.finality import Depth, Finality
from caimi.ledgers.evm.rpc.provider import Json
from caimi.ledgers.evm.rpc.reverts import reverted
from caimi.ledgers.port import NEWEST, At, Block, Exactly, LedgerId
from caimi.ledgers.port.heights import Moving

_REVERTED = 3
_TX = re.compile(r"0x[0-9a-fA-F]{64}")
# What nodes say of a height above their own.
_NO_SUCH_BLOCK = (
    "header not found",
    "block not found",
    "unknown block",
    "could not find block",
    "blockoutofrange",
    "block height is",
    "beyond current head",
)
# What nodes say of a height whose state they keep no more (geth, Erigon, Nethermind, Reth, Besu).
_PRUNED = (
    "missing trie node",
    "historical state",
    "state is not available",
    "state not available",
    "state histories haven't been fully indexed",
    "pruned",
    "world state unavailable",
    "distance to target block exceeds maximum proof window",
)


@dataclass(frozen=True, slots=True)
class Read:
    """A contract function to call without effect."""

    target: bytes
    method: Method
    arguments: tuple[Value, ...] = ()


class Chain:
    """Reads one ledger, which must be the EIP-155 chain that its CAIP-2 id names."""

    def __init__(self, rpc: Rpc, ledger: LedgerId, finality: Finality) -> None:
        self.rpc = rpc
        self.ledger = ledger
        self.number = int(ledger.removeprefix("eip155:"))
        self.finality = finality

    async def verify(self) -> None:
        """Check that the node serves this ledger.

        Raises:
            WrongLedger: it reports another chain id.
            LedgerUnavailable: it does not answer.
        """
        try:
            number = quantity(await self.rpc.ask("eth_chainId"))
        except RpcRefusal as refusal:
            raise self.refused("eth_chainId", refusal) from refusal
        if number != self.number:
            raise WrongLedger(
                f"The node {self.rpc.name} serves eip155:{number}, not {self.ledger}."
            )

    async def block(self, at: int | str = "latest") -> Block:
        """Give the block at a height or tag.

        Raises:
            LedgerBehind: the node has no block of that height yet.
            LedgerAnswerInvalid: there is none, or it is not the one asked for.
        """
        found = await self._ask(
            "eth_getBlockByNumber", hex(at) if isinstance(at, int) else at, False
        )
        if found is None and isinstance(at, int):
            raise LedgerBehind(f"{self.rpc.name} has no block {at} of {self.ledger} yet.")
        if found is None:
            raise LedgerAnswerInvalid(f"{self.ledger} has no block {at}.")
        block = parse_block(found)
        if isinstance(at, int) and block.height != at:
            raise LedgerAnswerInvalid(f"{self.ledger} sent block {block.height} for block {at}.")
        return block

    async def blocks(self, heights: Sequence[int]) -> list[Json]:
        """Give the blocks at some heights as the node has them, with their transactions' hashes.

        Raises:
            LedgerBehind: it has not all of them yet.
        """
        found = await self._all([("eth_getBlockByNumber", [hex(at), False]) for at in heights])
        for at, block in zip(heights, found, strict=True):
            if block is None:
                raise LedgerBehind(f"{self.rpc.name} has no block {at} of {self.ledger} yet.")
        return found

    async def tag(self, at: At) -> str:
        """Name a state as the node does."""
        match at:
            case Exactly(height):
                return hex(height)
            case Moving.FINAL:
                return hex((await self.finalized()).height)
            case Moving.NEWEST:
                return "latest"

    async def finalized(self) -> Block:
        """Give the newest block that the finality policy trusts."""
        if isinstance(self.finality, Depth):
            head = await self.block()
            final = self.finality.height(head.height)
            return head if final == head.height else await self.block(final)
        return await self.block("finalized")

    async def head_height(self) -> int:
        """Give the newest height."""
        return quantity(await self._ask("eth_blockNumber"))

    async def height_of(self, tx: str) -> int | None:
        """Tell which block a transaction is in; None for what is in none, or names none."""
        if not _TX.fullmatch(tx):
            return None
        receipt = await self._ask("eth_getTransactionReceipt", tx)
        if receipt is None:
            return None
        (height,) = fields(receipt, "blockNumber")
        return quantity(height)

    async def balance(self, account: bytes, at: At = NEWEST) -> int:
        """Give the account's coins in wei."""
        return quantity(await self._ask("eth_getBalance", hexed(account), await self.tag(at)))

    async def has_code(self, accounts: Sequence[bytes]) -> list[bool]:
        """Tell which accounts are contracts."""
        return [bool(code) for code in await self.codes(accounts)]

    async def codes(self, accounts: Sequence[bytes], at: At = NEWEST) -> list[bytes]:
        """Give the code at each of some accounts, empty where there is none."""
        tag = await self.tag(at)
        codes = await self._all([("eth_getCode", [hexed(a), tag]) for a in accounts])
        return [data(code) for code in codes]

    async def read(
        self, target: bytes, method: Method, *arguments: Value, at: At = NEWEST
    ) -> tuple[Value, ...]:
        """Call one contract function at a height.

        Raises:
            TransactionReverted: the contract refuses.
        """
        (values,) = await self.reads([Read(target, method, arguments)], at)
        return values

    async def reads(self, reads: Sequence[Read], at: At = NEWEST) -> list[tuple[Value, ...]]:
        """Call many contract functions at one height, in one round trip a hundred.

        Raises:
            TransactionReverted: a contract refuses; the first refusal counts.
        """
        values: list[tuple[Value, ...]] = []
        for result in await self.try_reads(reads, at):
            if isinstance(result, TransactionReverted):
                raise result
            values.append(result)
        return values

    async def try_reads(
        self, reads: Sequence[Read], at: At = NEWEST
    ) -> list[tuple[Value, ...] | TransactionReverted]:
        """Do as `reads` does, with a contract's refusal in its place instead of raised."""
        tag = await self.tag(at)
        requests: list[Request] = [
            (
                "eth_call",
                [{"to": hexed(r.target), "data": hexed(r.method.encode(*r.arguments))}, tag],
            )
            for r in reads
        ]
        values: list[tuple[Value, ...] | TransactionReverted] = []
        for read, result in zip(reads, await self.rpc.gather(requests), strict=True):
            if not isinstance(result, RpcRefusal):
                values.append(read.method.decode(data(result)))
                continue
            error = self.refused(f"Reading {read.method.name}", result)
            if not isinstance(error, TransactionReverted):
                raise error from result
            values.append(error)
        return values

    def refused(self, what: str, refusal: RpcRefusal) -> Exception:
        """Give the error for a node's refusal of `what`."""
        if refusal.data is not None or refusal.code == _REVERTED:
            return reverted(what, refusal.data or b"")
        said = refusal.message.lower()
        if "revert" in said:
            return reverted(what, b"")
        if any(phrase in said for phrase in _PRUNED):
            return HistoryGone(f"{what}: {self.rpc.name} says {refusal.message!r}.")
        if any(phrase in said for phrase in _NO_SUCH_BLOCK):
            return LedgerBehind(f"{what}: {self.rpc.name} says {refusal.message!r}.")
        if refusal.code == -32005 or "limit" in said:
            return LedgerUnavailable(f"{self.rpc.name} is overloaded: {refusal.message}.")
        return LedgerRefused(f"{what}: {self.rpc.name} says {refusal.message!r}.")

    async def _ask(self, method: str, *params: Json) -> Json:
        try:
            return await self.rpc.ask(method, *params)
        except RpcRefusal as refusal:
            raise self.refused(method, refusal) from refusal

    async def _all(self, requests: Sequence[Request]) -> list[Json]:
        try:
            return await self.rpc.all(requests)
        except RpcRefusal as refusal:
            raise self.refused(requests[0][0], refusal) from refusal


def parse_block(value: object) -> Block:
    """Read a block object.

    Raises:
        LedgerAnswerInvalid: it is malformed.
    """
    number, time, block_hash = fields(value, "number", "timestamp", "hash")
    return Block(quantity(number), quantity(time), data(block_hash, 32))
