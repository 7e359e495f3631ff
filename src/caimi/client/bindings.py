"""Accounts on several ledgers that are one person's: each key signs for the other's account.

That two accounts are written alike binds nothing: only their two signatures do. Keys sign here;
contract accounts, which have none, are not bound.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from caimi.chains import AccountId
from caimi.custody.encoding import Fields, hex_text
from caimi.errors.custody import MalformedEncoding
from caimi.errors.ids import InvalidAccountId, InvalidLedgerId
from caimi.errors.operations import BindingInvalid
from caimi.ledgers.port import (
    Account,
    AccountCodec,
    FieldType,
    LedgerId,
    Statement,
    StatementDomain,
    StatementType,
    Wallet,
    account_named,
)

MAX_BINDING_BYTES: Final = 32_768
MAX_SIGNATURE_BYTES: Final = 4_096
MAX_NAME_CHARACTERS: Final = 170
"""Of a CAIP-10 id: 41 for the ledger, a colon, 128 for the account."""
_STATEMENT: Final = StatementType(
    StatementDomain("CAIMI", "1"),
    "SamePerson",
    (
        ("account", FieldType.STRING),
        ("other", FieldType.STRING),
        ("issuedAt", FieldType.UINT64),
    ),
)
_FIELDS: Final = frozenset({"account", "other", "issued_at", "signature", "other_signature"})


@dataclass(frozen=True, slots=True)
class Binding:
    """That two accounts (CAIP-10) were one person's when it was signed, at `issued_at` (seconds).

    `account` comes before `other` as text, so that two accounts are bound in one form. Construction
    raises `BindingInvalid` where it does not.
    """

    account: str
    other: str
    issued_at: int
    signature: bytes = field(repr=False)
    other_signature: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if self.account >= self.other:
            raise BindingInvalid(
                f"{self.account!r:.190} does not come before {self.other!r:.190}.",
                why="A binding is of two accounts, in the order of their names.",
            )

    def verify(self, codecs: Mapping[LedgerId, AccountCodec]) -> tuple[Account, Account]:
        """Give both accounts, when the keys of both have signed for each other.

        Raises:
            BindingInvalid: one has not, or is on a ledger that none of the `codecs` is of.
        """
        return (
            _signer(_said(self.account, self.other, self.issued_at), self.signature, codecs),
            _signer(_said(self.other, self.account, self.issued_at), self.other_signature, codecs),
        )

    def to_json(self) -> str:
        """Write the one JSON form, a line; bytes are ``0x`` hexadecimal."""
        return json.dumps(
            {
                "account": self.account,
                "other": self.other,
                "issued_at": self.issued_at,
                "signature": hex_text(self.signature),
                "other_signature": hex_text(self.other_signature),
            }
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> Binding:
        """Parse strictly, or raise `BindingInvalid`; the signatures are not checked here."""
        try:
            fields = Fields(text, _FIELDS, "the binding", MAX_BINDING_BYTES)
            return cls(
                account=fields.text("account", MAX_NAME_CHARACTERS),
                other=fields.text("other", MAX_NAME_CHARACTERS),
                issued_at=fields.number("issued_at", 0, 2**63 - 1),
                signature=fields.data("signature", 1, MAX_SIGNATURE_BYTES),
                other_signature=fields.data("other_signature", 1, MAX_SIGNATURE_BYTES),
            )
        except MalformedEncoding as error:
            raise BindingInvalid(error.what) from error


def bind(one: Wallet, other: Wallet, issued_at: int) -> Binding:
    """Have the keys of two accounts sign that they are one person's.

    Raises:
        BindingInvalid: they are one account.
    """
    first, second = sorted((one, other), key=lambda wallet: wallet.name)
    return Binding(
        first.name,
        second.name,
        issued_at,
        first.sign_statement(_said(first.name, second.name, issued_at)),
        second.sign_statement(_said(second.name, first.name, issued_at)),
    )


def bound_with(
    account: Account, bindings: Iterable[Binding], codecs: Mapping[LedgerId, AccountCodec]
) -> frozenset[Account]:
    """Give all accounts that bindings join to one, over others too, and itself.

    Raises:
        BindingInvalid: one of the bindings does not hold.
    """
    pairs = [frozenset(each.verify(codecs)) for each in bindings]
    found = frozenset({account})
    while any(pair & found and not pair <= found for pair in pairs):
        found = found.union(*(pair for pair in pairs if pair & found))
    return found


def _said(account: str, other: str, issued_at: int) -> Statement:
    return _STATEMENT.state(account, other, issued_at)


def _signer(said: Statement, signature: bytes, codecs: Mapping[LedgerId, AccountCodec]) -> Account:
    name = str(said.values[0])
    try:
        codec = codecs.get(LedgerId(AccountId.parse(name).ledger))
        if codec is None:
            raise BindingInvalid(
                f"The ledger of {name} is not known here.",
                why="Whose a signature is, only the account's own ledger says.",
                next_step="Add a [[ledgers]] section for it.",
            )
        account = account_named(name, codec)
    except (InvalidAccountId, InvalidLedgerId) as error:
        raise BindingInvalid(f"{name!r:.190} is no account.") from error
    if not codec.verify(said, account, signature):
        raise BindingInvalid(f"{name} has not signed that it is of one person with the other.")
    return account
