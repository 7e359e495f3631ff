"""What a ledger says of what happened to a model: the kind of the event, and its details."""

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

_EVENTS: Final[dict[FactKind, str]] = {
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


def event_of(fact: ModelFact) -> str:
    """Name what happened."""
    return _EVENTS[type(fact)]


def details_of(fact: ModelFact, accounts: AccountCodec) -> dict[str, str]:
    """Give what a fact says, as its ledger writes accounts; the model's id is not repeated."""
    return {
        field.name.replace("_", " "): _text(_whole(fact, field.name), accounts)
        for field in fields(fact)
        if field.name != "model_id"
    }


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
