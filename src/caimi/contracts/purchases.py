"""Purchases on their way to a model's home: opened once, and ended once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

from eth_abi.abi import encode

from caimi.contracts.bounds import number, utf8
from caimi.contracts.execution import Effect, Execution, refuse, require
from caimi.contracts.identifiers import (
    Account,
    ClientId,
    Currency,
    LicenceId,
    PurchaseId,
    TokenId,
    VersionId,
)
from caimi.contracts.records import Table
from caimi.contracts.state import State
from caimi.hashing import keccak256


class PurchaseStage(IntEnum):
    """Where a purchase stands."""

    PENDING = 1
    COMPLETED = 2
    REFUNDED = 3


@dataclass(frozen=True, slots=True)
class PurchaseOpened(Effect):
    """A purchase goes over a route, and its money is held.

    `order` are the buyer, the model, whose licence it is to be, and the version.
    """

    purchase: PurchaseId
    order: tuple[Account, TokenId, Account, str]
    client_id: ClientId
    sequence: int
    paid: tuple[Currency, int]


@dataclass(frozen=True, slots=True)
class PurchaseCompleted(Effect):
    """A purchase ended: the licence is given, and the payee is owed."""

    purchase: PurchaseId
    licence: LicenceId
    payee: Account


@dataclass(frozen=True, slots=True)
class PurchaseReturned(Effect):
    """A purchase ended: the buyer is owed."""

    purchase: PurchaseId
    buyer: Account


@dataclass(frozen=True, slots=True)
class PurchaseRecord:
    """A purchase. `counted` against a limit of value; `deposit` is for whoever brings its end.

    The licence is for the reader; what comes back is the buyer's.
    """

    buyer: Account
    reader: Account
    stage: PurchaseStage
    counted: bool
    deposit: int
    token: TokenId
    version: VersionId
    currency: Currency
    amount: int


_PURCHASES: Final[Table[tuple[PurchaseId], PurchaseRecord]] = Table(
    "market/purchases", PurchaseRecord
)
Bought = tuple[VersionId, Account, Account]
"""What is bought once over a route: a version, by a buyer, for a reader.

Not once for each reader: else anybody's purchase that never arrives would keep the reader from
buying.
"""
_LIVE: Final[Table[tuple[str, TokenId, VersionId, Account, Account], bytes]] = Table(
    "market/live-purchases", bytes
)


def purchase_id(client_id: str, sequence: int) -> PurchaseId:
    """Give keccak256(abi.encode(string client, uint64 sequence))."""
    utf8(client_id, "client_id")
    number(sequence, 64, "sequence")
    return PurchaseId(keccak256(encode(("string", "uint64"), (client_id, sequence))))


class Purchases:
    """The purchases of one market."""

    def get(self, state: State, purchase: PurchaseId) -> PurchaseRecord | None:
        """Give a purchase, or None."""
        return _PURCHASES.get(state, (purchase,))

    def of(self, state: State, client_id: str, token: TokenId, bought: Bought) -> PurchaseId | None:
        """Give the open or completed purchase of a version by a buyer for a reader, or None."""
        found = _LIVE.get(state, (client_id, token, *bought))
        return None if found is None else PurchaseId(found)

    def check_new(self, state: State, client_id: str, token: TokenId, bought: Bought) -> None:
        """Let a purchase pass that its buyer has not made yet; refuses ``AlreadyPurchased``."""
        found = self.of(state, client_id, token, bought)
        require(found is None, "AlreadyPurchased", purchase_id=found)

    def open(
        self, call: Execution, client_id: str, sequence: int, record: PurchaseRecord
    ) -> PurchaseId:
        """Note a purchase that is on its way."""
        purchase = purchase_id(client_id, sequence)
        _LIVE.put(call.state, _key(client_id, record), purchase)
        _PURCHASES.put(call.state, (purchase,), record)
        return purchase

    def sent(
        self, state: State, client_id: str, sequence: int
    ) -> tuple[PurchaseId, PurchaseRecord | None]:
        """Give the pending purchase of a packet that ends; refuses ``UnknownPacket``.

        The gateway ends a packet once, so that one which is refunded already was so by an exit:
        None then.
        """
        purchase = purchase_id(client_id, sequence)
        record = self.get(state, purchase)
        if record is None or record.stage is PurchaseStage.COMPLETED:
            refuse("UnknownPacket", client_id=client_id, sequence=sequence)
        return purchase, record if record.stage is PurchaseStage.PENDING else None

    def complete(self, call: Execution, purchase: PurchaseId, record: PurchaseRecord) -> None:
        """Note that it was answered."""
        completed = replace(record, stage=PurchaseStage.COMPLETED)
        _PURCHASES.put(call.state, (purchase,), completed)

    def refund(
        self, call: Execution, client_id: str, purchase: PurchaseId, record: PurchaseRecord
    ) -> None:
        """Note that it came to nothing, so that the buyer may try again."""
        _LIVE.delete(call.state, _key(client_id, record))
        _PURCHASES.put(call.state, (purchase,), replace(record, stage=PurchaseStage.REFUNDED))


def _key(
    client_id: str, record: PurchaseRecord
) -> tuple[str, TokenId, VersionId, Account, Account]:
    return (client_id, record.token, record.version, record.buyer, record.reader)
