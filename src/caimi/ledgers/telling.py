"""A model's history in words, the same on every ledger."""

from __future__ import annotations

from dataclasses import fields
from typing import Final

from caimi.errors.ids import InvalidInteroperableAddress, InvalidLedgerId
from caimi.ledgers.port import (
    Account,
    AccountCodec,
    ApprovedMover,
    ArrivedModel,
    ChangedAlias,
    ChangedOwner,
    ChangedPrices,
    CompletedPurchase,
    CompletedTransfer,
    DepartedModel,
    DeprecatedVersion,
    FactKind,
    GrantedLicence,
    HistoryEntry,
    ModelFact,
    Money,
    OpenedPurchase,
    Price,
    PublishedVersion,
    ReceivedModel,
    RefundedPurchase,
    RefundedTransfer,
    RegisteredModel,
    RevokedLicence,
    SentModel,
    UnlockedModel,
)

WORDS: Final[dict[FactKind, str]] = {
    RegisteredModel: "model registered",
    PublishedVersion: "version published",
    ChangedAlias: "alias set",
    DeprecatedVersion: "version deprecated",
    ChangedOwner: "transfer",
    ApprovedMover: "approval",
    ArrivedModel: "foreign model minted",
    DepartedModel: "foreign model burned",
    ChangedPrices: "prices set",
    GrantedLicence: "licence granted",
    RevokedLicence: "licence revoked",
    OpenedPurchase: "purchase opened",
    CompletedPurchase: "purchase completed",
    RefundedPurchase: "purchase refunded",
    SentModel: "model sent",
    ReceivedModel: "model received",
    CompletedTransfer: "transfer completed",
    RefundedTransfer: "transfer refunded",
    UnlockedModel: "dead unlocked",
}


def history_entry(fact: ModelFact, tx: str, height: int, accounts: AccountCodec) -> HistoryEntry:
    """Tell a fact in words, as its ledger writes accounts; the model's id is not repeated."""
    details = tuple(
        (field.name.replace("_", " "), _text(_whole(fact, field.name), accounts))
        for field in fields(fact)
        if field.name != "model_id"
    )
    return HistoryEntry(WORDS[type(fact)], details, tx, height)


def subject(fact: ModelFact) -> bytes:
    """Give the id that a fact is found by: a licence's or purchase's where it has no model's."""
    match fact:
        case RevokedLicence(licence_id):
            return licence_id
        case CompletedPurchase(purchase_id) | RefundedPurchase(purchase_id):
            return purchase_id
        case _:
            return fact.model_id


def link(fact: ModelFact) -> bytes | None:
    """Give the id of the licence or purchase that begins with a fact, by which others find it."""
    match fact:
        case GrantedLicence(licence_id):
            return licence_id
        case OpenedPurchase(purchase_id):
            return purchase_id
        case _:
            return None


def _whole(fact: ModelFact, name: str) -> object:
    """Give a fact's field; who a licence is for, and who is paid, as the accounts that they are."""
    value: object = getattr(fact, name)
    if isinstance(fact, GrantedLicence) and name in ("consumer", "payee") and value:
        try:
            return str(Account.from_interoperable(getattr(fact, name)))
        except (InvalidInteroperableAddress, InvalidLedgerId):  # what somebody else wrote there
            return value
    return value


def _text(value: object, accounts: AccountCodec) -> str:
    if isinstance(value, tuple):
        return "; ".join(_text(each, accounts) for each in value) or "none"
    if isinstance(value, Price):
        said = f"{_text(value.amount, accounts)} on {value.amount.asset.ledger}"
        return said if value.offered else f"{said} withdrawn"
    if isinstance(value, Money):
        paid = value.asset.native
        return f"{value.units} of 0x{paid.hex()}" if paid else str(value.units)
    return _named(value, accounts)


def _named(value: object, accounts: AccountCodec) -> str:
    if value is None or value == b"":
        return "nobody"
    if isinstance(value, Account):
        return accounts.text(value)
    return f"0x{value.hex()}" if isinstance(value, bytes) else str(value)
