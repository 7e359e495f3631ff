"""What a worker's receipts are kept in (port): in batches, each closed once, and anchored once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from caimi.inference.inclusion import Inclusion
from caimi.inference.receipt import SignedReceipt
from caimi.ledgers.port import AccountCodec, LedgerId, SignedCall

MAX_BATCH: Final = 100_000


@dataclass(frozen=True, slots=True)
class Batch:
    """A closed batch: its receipts, and so its root, change no more."""

    number: int
    root: bytes
    size: int

    @property
    def outbox_key(self) -> str:
        """The name of its transaction in the outbox."""
        return f"batch/{self.number}"


@dataclass(frozen=True, slots=True)
class KeptReceipt:
    """A receipt with its digest (32 bytes), by which it is known, and where it is anchored."""

    digest: bytes
    ledger: LedgerId
    signed: SignedReceipt

    @classmethod
    def of(cls, signed: SignedReceipt, accounts: AccountCodec) -> KeptReceipt:
        """Make one; `accounts` is the codec of the worker's ledger."""
        said = signed.receipt
        return cls(said.digest(accounts), said.worker_ledger, signed)


class ReceiptStore(Protocol):
    """Keeps a worker's receipts, and is the outbox of the batches' transactions (port `Outbox`).

    Every method raises `ReceiptStoreDamaged` when what it is kept in is no such store, or cannot be
    read or written, and `DatabaseUnreachable` when its server does not answer.
    """

    def add(self, receipts: Sequence[KeptReceipt]) -> None:
        """Write receipts down, durably; one that is here already is left as it is."""

    def next_batch(self, ledger: LedgerId) -> Batch | None:
        """Give what to anchor on `ledger`: a batch not anchored yet, a new one, or None.

        A batch takes at most `MAX_BATCH` receipts, in the order in which they came.
        """
        ...

    def mark_anchored(self, batch: Batch) -> None:
        """Note that a batch's root is on its ledger."""

    def inclusion(self, digest: bytes) -> Inclusion:
        """Prove a receipt's place in its anchored batch.

        Raises:
            NotAnchored: it is unknown here, or its batch is not anchored yet.
        """
        ...

    async def sent(self, key: str) -> SignedCall | None:
        """Give the transaction written down under `key`; see `Outbox.sent`."""
        ...

    async def record(self, key: str, call: SignedCall) -> None:
        """Write a transaction down under `key`; see `Outbox.record`."""

    def close(self) -> None:
        """Close it."""
