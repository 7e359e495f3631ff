"""What a ledger on a channel begins with: all its organisations agree on it, and it never changes.

An organisation writes it in a file of its own (TOML), and its chaincode endorses the founding of
that ledger and of no other. Afterwards the ledger tells its terms to whoever asks.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import Field, ValidationError

from caimi.config import Section
from caimi.config.section import what_is_wrong
from caimi.config.values import AccountText, LedgerText, Symbol
from caimi.errors.base import said_of
from caimi.errors.fabric import FabricTermsInvalid
from caimi.errors.ids import InvalidAccountId
from caimi.hashing import sha256
from caimi.ledgers.machine.ed25519_accounts import Ed25519Accounts
from caimi.ledgers.machine.values import Value, decode_value, encode_value
from caimi.ledgers.port import LedgerId

MAX_BYTES: Final = 10_000
"""How long a file of terms, or their encoding, is at most."""
NOT_AGREED: Final = "This organisation did not agree to these terms."
"""What the chaincode of an organisation says that was given other terms."""


class AccountingTerms(Section):
    """An accounting asset: who issues and redeems it, and how it is written."""

    issuer: AccountText
    symbol: Symbol
    decimals: Annotated[int, Field(ge=0, le=18)]


class _TermsFile(Section):
    ledger: LedgerText
    administrator: AccountText
    guardian: AccountText
    accounting: AccountingTerms | None = None


@dataclass(frozen=True, slots=True)
class FoundingTerms:
    """One ledger's terms; accounts are as the ledger writes them.

    `administrator` begins with all powers, `guardian` may stop things.
    """

    ledger: LedgerId
    administrator: str
    guardian: str
    accounting: AccountingTerms | None = None

    def __post_init__(self) -> None:
        """Check the accounts.

        Raises:
            FabricTermsInvalid: one is none.
        """
        accounts = Ed25519Accounts(self.ledger)
        issuer = [] if self.accounting is None else [self.accounting.issuer]
        try:
            for each in (self.administrator, self.guardian, *issuer):
                accounts.parse(each)
        except InvalidAccountId as error:
            raise FabricTermsInvalid(f"The terms of {self.ledger}: {error.what}") from error

    @property
    def fingerprint(self) -> str:
        """What organisations compare: the SHA-256 of the encoding, in hexadecimal."""
        return sha256(self.encode()).hex()

    def encode(self) -> bytes:
        """Give the one encoding."""
        asset: Value = None
        if self.accounting is not None:
            asset = (self.accounting.issuer, self.accounting.symbol, self.accounting.decimals)
        return encode_value((self.ledger, self.administrator, self.guardian, asset))

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read the one encoding.

        Raises:
            FabricTermsInvalid: it is none.
        """
        try:
            match decode_value(data) if len(data) <= MAX_BYTES else None:
                case (str(ledger), str(administrator), str(guardian), asset):
                    said = {"ledger": ledger, "administrator": administrator, "guardian": guardian}
                    return cls._checked({**said, "accounting": _asset(asset)})
        except ValueError as error:
            raise FabricTermsInvalid(
                f"What should be a ledger's terms is none: {error}."
            ) from error
        raise FabricTermsInvalid("What should be a ledger's terms is none.")

    @classmethod
    def read_file(cls, file: Path) -> Self:
        """Read them from a file.

        Raises:
            FabricTermsInvalid: it cannot be read, or does not say them.
        """
        try:
            with file.open("rb") as handle:
                data = handle.read(MAX_BYTES + 1)
            if len(data) > MAX_BYTES:
                raise ValueError(f"it is longer than {MAX_BYTES} bytes")
            return cls._checked(tomllib.loads(data.decode()))
        except FabricTermsInvalid as error:
            raise FabricTermsInvalid(f"{file}: {error.what}") from error
        except (OSError, ValueError, RecursionError) as error:
            raise FabricTermsInvalid(f"{file} does not say terms: {said_of(error)}.") from error

    def text(self) -> str:
        """Give what the file says."""
        lines = [
            f'ledger = "{self.ledger}"',
            f'administrator = "{self.administrator}"',
            f'guardian = "{self.guardian}"',
        ]
        if self.accounting is not None:
            lines += [
                "",
                "[accounting]",
                f'issuer = "{self.accounting.issuer}"',
                f'symbol = "{self.accounting.symbol}"',
                f"decimals = {self.accounting.decimals}",
            ]
        return "\n".join(lines) + "\n"

    @classmethod
    def _checked(cls, said: object) -> Self:
        try:
            known = _TermsFile.model_validate(said)
        except ValidationError as error:
            raise ValueError(what_is_wrong(error)) from error
        return cls(LedgerId(known.ledger), known.administrator, known.guardian, known.accounting)


def _asset(value: Value) -> dict[str, Value] | None:
    match value:
        case None:
            return None
        case (str(issuer), str(symbol), int(decimals)):
            return {"issuer": issuer, "symbol": symbol, "decimals": decimals}
    raise ValueError("an accounting asset has an issuer, a symbol and decimals")
