"""Anchored inference receipts: the port's `ReceiptLog`."""

from __future__ import annotations

from caimi.errors.ledgers import LedgerAnswerInvalid
from caimi.ledgers.evm.abi.calls import EvmCall
from caimi.ledgers.evm.rpc.contract import Contract
from caimi.ledgers.evm.rpc.logs import EventReader
from caimi.ledgers.port import NEWEST, Account, At


class EvmReceiptLog:
    """The receipt log of one EVM ledger."""

    def __init__(self, contract: Contract, events: EventReader) -> None:
        self._contract = contract
        self._events = events

    def anchor(self, root: bytes, count: int) -> EvmCall[int]:
        """Anchor the root of `count` of the sender's receipts."""
        call = self._contract.call(f"Anchoring {count} receipts", "anchor", root, count)
        return call.giving(lambda included: included.value("ReceiptsAnchored", "index", int))

    async def anchored(self, worker: Account, root: bytes, at: At = NEWEST) -> int | None:
        """Give when the worker anchored the root, in seconds; None when never."""
        (time,) = await self._contract.read(
            "anchored", self._contract.address_of(worker), root, at=at
        )
        return int(time) or None

    async def entry(self, who: Account, index: int, since: int, until: int) -> bytes | None:
        """Give the root that an account anchored as its `index`-th, by the log's event.

        Raises:
            LedgerAnswerInvalid: the node shows two.
        """
        topic = self._contract.interface.events["ReceiptsAnchored"].topic
        found = await self._events.events(
            [self._contract.address],
            [topic, bytes(12) + self._contract.address_of(who), index.to_bytes(32)],
            since,
            until,
        )
        roots = {event.values["root"] for event in found}
        if len(roots) > 1:
            raise LedgerAnswerInvalid(
                f"{self._contract.chain.ledger} shows two roots with number {index}."
            )
        root = next(iter(roots), None)
        return root if isinstance(root, bytes) else None
