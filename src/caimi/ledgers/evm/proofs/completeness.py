"""Whether a node's logs are all there are, by what the blocks' headers commit to.

A node can leave out logs without a word: an index that lags behind the blocks, one of several
behind an address. That it shows nothing is no evidence that nothing happened. A header's filter
says in which blocks a contract may have logged; of those all receipts are read, which must hash to
the header's root, and what they hold must be what was shown.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from caimi.errors.ledgers import LedgerAnswerInvalid
from caimi.errors.messaging import EventsMissing
from caimi.ledgers.evm.abi.quantities import data, fields, hexed, quantity
from caimi.ledgers.evm.proofs.receipts_root import (
    TransactionReceipt,
    bloom,
    may_hold,
    receipts_root,
)
from caimi.ledgers.evm.rpc.chain import Chain
from caimi.ledgers.evm.rpc.client import Request, RpcRefusal
from caimi.ledgers.evm.rpc.logs import RawLog, parse_log
from caimi.ledgers.evm.rpc.provider import Json

_HEADERS: Final = 500
_REMEMBERED: Final = 256  # blocks, of which only the contract's own logs are kept
_LAST_TYPE: Final = 0x7F  # of a transaction (EIP-2718)
_NO_METHOD: Final = -32601
_APPENDED: Final = ("depositNonce", "depositReceiptVersion")


@dataclass(frozen=True, slots=True)
class _Header:
    height: int
    hash: bytes
    parent: bytes
    bloom: bytes
    root: bytes
    transactions: tuple[str, ...]


class Completeness:
    """Checks logs that the contract at `address` wrote under one of `topics`.

    What the receipts of a block hold is found out once for all who ask: it depends on nothing but
    the header that they hash to.
    """

    def __init__(self, chain: Chain, address: bytes, topics: Collection[bytes]) -> None:
        self._chain = chain
        self._address = address
        self._topics = topics
        self._proved: OrderedDict[_Header, list[RawLog]] = OrderedDict()
        self._looking: dict[_Header, asyncio.Task[list[RawLog]]] = {}

    async def check(self, first: int, last: int, logs: Sequence[RawLog]) -> None:
        """Check that `logs` are all that there are in blocks first to last.

        Raises:
            EventsMissing: they are not, or the node's receipts are not what a header commits to.
            LedgerAnswerInvalid: the blocks do not follow one on another, or are malformed.
            LedgerBehind: the node lacks one of the blocks.
        """
        shown: dict[int, list[RawLog]] = {}
        for log in logs:
            shown.setdefault(log.height, []).append(log)
        before: _Header | None = None
        for start in range(first, last + 1, _HEADERS):
            for header in await self._headers(start, min(start + _HEADERS - 1, last)):
                if before is not None and header.parent != before.hash:
                    raise LedgerAnswerInvalid(
                        f"Block {header.height} of {self._chain.ledger} does not follow on "
                        f"block {before.height}."
                    )
                before = header
                await self._check_block(header, shown.get(header.height, []))

    async def _check_block(self, header: _Header, shown: list[RawLog]) -> None:
        if not header.transactions and not shown:
            return
        if not shown and self._filtered(header):
            return
        found = self._proved.get(header)
        if found is None:
            found = await self._look_once(header)
        if found != shown:
            self._proved.pop(header, None)  # of a log, its place is not in what the root proves
            raise EventsMissing(
                f"{self._chain.rpc.name} shows {len(shown)} events in block {header.height} of "
                f"{self._chain.ledger}, whose receipts have {len(found)}."
            )

    async def _look_once(self, header: _Header) -> list[RawLog]:
        """Look at a block's receipts, together with all who ask at the same time."""
        looking = self._looking.get(header)
        if looking is None:
            looking = self._looking[header] = asyncio.ensure_future(self._look(header))
            looking.add_done_callback(lambda done: self._looked(header, done))
        # Whoever asked first may go away; the others still wait.
        return await asyncio.shield(looking)

    def _looked(self, header: _Header, looking: asyncio.Task[list[RawLog]]) -> None:
        del self._looking[header]
        if not looking.cancelled():
            looking.exception()  # whoever waits is told, if anybody still does

    async def _look(self, header: _Header) -> list[RawLog]:
        """Give the contract's logs in a block; remember them when the header's root proves them."""
        receipts, proved = await self._receipts(header)
        logs = [
            log
            for receipt in receipts
            for log in receipt.logs
            if log.address == self._address and log.topics and log.topics[0] in self._topics
        ]
        if proved:
            self._proved[header] = logs
            while len(self._proved) > _REMEMBERED:
                self._proved.popitem(last=False)
        return logs

    def _filtered(self, header: _Header) -> bool:
        """Tell whether the header says that there is nothing; one without a filter says nothing."""
        return any(header.bloom) and not any(
            may_hold(header.bloom, (self._address, topic)) for topic in self._topics
        )

    async def _headers(self, first: int, last: int) -> list[_Header]:
        heights = range(first, last + 1)
        blocks = await self._chain.blocks(heights)
        return [_header(block, height) for block, height in zip(blocks, heights, strict=True)]

    async def _receipts(self, header: _Header) -> tuple[list[TransactionReceipt], bool]:
        """Read the receipts of a block, which must be those that its header commits to.

        Tells besides whether its root proves them; else only its filter speaks for them.
        """
        answers = await self._ask(header)
        if not isinstance(answers, list) or len(answers) != len(header.transactions):
            raise EventsMissing(
                f"{self._chain.rpc.name} has not all receipts of block {header.height} of "
                f"{self._chain.ledger}."
            )
        receipts = [
            _receipt(answer, header, tx)
            for answer, tx in zip(answers, header.transactions, strict=True)
        ]
        if receipts_root(receipts) == header.root:
            return receipts, True
        # Other families of ledgers have receipts of their own, but the same filter over the logs.
        filter_ = bloom(log for receipt in receipts for log in receipt.logs)
        if all(receipt.plain for receipt in receipts) or _lacks(filter_, header.bloom):
            raise EventsMissing(
                f"The receipts that {self._chain.rpc.name} has of block {header.height} of "
                f"{self._chain.ledger} are not those that its header commits to."
            )
        return receipts, False

    async def _ask(self, header: _Header) -> Json:
        rpc = self._chain.rpc
        try:
            return await rpc.ask("eth_getBlockReceipts", hex(header.height))
        except RpcRefusal as refusal:
            if refusal.code != _NO_METHOD:
                raise self._chain.refused("eth_getBlockReceipts", refusal) from refusal
        one_by_one: list[Request] = [
            ("eth_getTransactionReceipt", [tx]) for tx in header.transactions
        ]
        try:
            return await rpc.all(one_by_one)
        except RpcRefusal as refusal:
            raise self._chain.refused("eth_getTransactionReceipt", refusal) from refusal


def _header(block: Json, height: int) -> _Header:
    number, name, parent, filter_, root, transactions = fields(
        block, "number", "hash", "parentHash", "logsBloom", "receiptsRoot", "transactions"
    )
    if quantity(number) != height or not isinstance(transactions, list):
        raise LedgerAnswerInvalid(f"The node sent no block {height}, or one without transactions.")
    return _Header(
        height,
        data(name, 32),
        data(parent, 32),
        data(filter_, 256),
        data(root, 32),
        tuple(hexed(data(tx, 32)) for tx in transactions),
    )


def _receipt(answer: Json, header: _Header, tx: str) -> TransactionReceipt:
    name, block, status, gas, logs = fields(
        answer, "transactionHash", "blockHash", "status", "cumulativeGasUsed", "logs"
    )
    if hexed(data(name, 32)) != tx or data(block, 32) != header.hash or not isinstance(logs, list):
        raise EventsMissing(f"The node sent another receipt than that of {tx}.")
    kind = quantity(answer.get("type") or "0x0")
    if kind > _LAST_TYPE:
        raise LedgerAnswerInvalid(f"The node sent a receipt of type {kind}.")
    return TransactionReceipt(
        kind,
        quantity(status),
        quantity(gas),
        tuple(parse_log(log) for log in logs),
        tuple(quantity(answer[name]) for name in _APPENDED if answer.get(name) is not None),
    )


def _lacks(some: bytes, all_: bytes) -> bool:
    """Tell whether a filter lacks bits of another."""
    return int.from_bytes(all_, "big") & ~int.from_bytes(some, "big") != 0
