"""Receipts: a worker's signed statement of which model gave which output for which input.

A receipt is a `Statement` of the ledger that its worker's account is of: that ledger's codec says
what is signed, and what 32 bytes stand for the receipt in batches.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import Final

from caimi import html_text
from caimi.chains import AccountId
from caimi.errors.ids import InvalidAccountId, InvalidLedgerId
from caimi.errors.inference import ReceiptInvalid, ReceiptMalformed
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

FORMAT: Final = "caimi/receipt/2"
MAX_TEXT: Final = 128
MAX_TIME: Final = (1 << 53) - 1
"""The largest whole number that RFC 8785 lets JSON carry."""
NONCE_BYTES: Final = 32
_LAST_DATE: Final = 253_402_300_799  # the last second of the year 9999
_BEFORE: Final = (
    ("ledger", FieldType.STRING),
    ("modelId", FieldType.BYTES32),
    ("version", FieldType.STRING),
    ("manifest", FieldType.BYTES32),
    ("inputHash", FieldType.BYTES32),
    ("outputHash", FieldType.BYTES32),
    ("engine", FieldType.STRING),
)
_AFTER: Final = (
    ("price", FieldType.UINT256),
    ("nonce", FieldType.BYTES32),
    ("time", FieldType.UINT64),
    ("worker", FieldType.STRING),
)
_PLAIN: Final = StatementType(StatementDomain("CAIMI Receipt", "2"), "Receipt", (*_BEFORE, *_AFTER))
_EXACT: Final = StatementType(
    StatementDomain("CAIMI Receipt", "2"),
    "ExactReceipt",
    (*_BEFORE, ("answer", FieldType.STRING), *_AFTER),
)


@dataclass(frozen=True)
class Receipt:
    """What a worker states. `price` is in the smallest unit, `time` in Unix seconds.

    `ledger` is the model's home; `worker` (CAIP-10, in the one form that its own ledger writes) may
    be of any. `answer` is the engine's answer id, empty where it has none: who states one is
    convicted by one other bit of any engine of that id.
    Construction raises `ReceiptMalformed` when a field is out of form.
    """

    ledger: str
    model_id: bytes
    version: str
    manifest: bytes
    input_hash: bytes
    output_hash: bytes
    engine: str
    price: int
    time: int
    worker: str
    nonce: bytes = field(default_factory=lambda: secrets.token_bytes(NONCE_BYTES))
    answer: str = ""

    def __post_init__(self) -> None:
        hashes = (self.model_id, self.manifest, self.input_hash, self.output_hash, self.nonce)
        if any(len(value) != 32 for value in hashes):
            raise ReceiptMalformed("A hash of the receipt has not 32 bytes.")
        if not 0 <= self.price < 1 << 256 or not 0 <= self.time <= MAX_TIME:
            raise ReceiptMalformed("The receipt's price or time is out of range.")
        texts = (self.ledger, self.version, self.engine, self.answer or "none")
        if not all(_is_plain(text) for text in texts):
            raise ReceiptMalformed(
                f"A text of the receipt is not 1 to {MAX_TEXT} printable ASCII characters."
            )
        if not _is_account(self.worker):
            raise ReceiptMalformed(
                f"The receipt's worker {self.worker[:80]!r} is no CAIP-10 account, "
                "or written in another way."
            )

    @property
    def worker_ledger(self) -> LedgerId:
        """The ledger that the worker's account is of, where its batches are anchored."""
        return LedgerId(self.worker.rpartition(":")[0])

    @cached_property
    def statement(self) -> Statement:
        """What the worker signs."""
        before = (
            self.ledger,
            self.model_id,
            self.version,
            self.manifest,
            self.input_hash,
            self.output_hash,
            self.engine,
        )
        after = (self.price, self.nonce, self.time, self.worker)
        if self.answer:
            return _EXACT.state(*before, self.answer, *after)
        return _PLAIN.state(*before, *after)

    def digest(self, accounts: AccountCodec) -> bytes:
        """Give the 32 bytes that stand for it in batches; `accounts` is its worker's ledger's."""
        return accounts.digest(self.statement)

    def sign(self, wallet: Wallet) -> SignedReceipt:
        """Sign as the worker that it names, or raise `ReceiptInvalid` for any other's wallet."""
        if wallet.name != self.worker:
            raise ReceiptInvalid(f"The receipt of {self.worker} is not for {wallet.name} to sign.")
        return SignedReceipt(self, wallet.sign_statement(self.statement))

    def is_signed(self, signature: bytes, account: Account, accounts: AccountCodec) -> bool:
        """Tell whether a signature of it is the one of `account`."""
        return accounts.verify(self.statement, account, signature)

    def as_document(self) -> dict[str, str | int]:
        """Give the fields of its JSON form."""
        return {**self._plain_fields(), "format": FORMAT, "worker": self.worker}

    def _plain_fields(self) -> dict[str, str | int]:
        return {
            "ledger": self.ledger,
            "modelId": _hex(self.model_id),
            "version": self.version,
            "manifest": _hex(self.manifest),
            "inputHash": _hex(self.input_hash),
            "outputHash": _hex(self.output_hash),
            "engine": self.engine,
            **({"answer": self.answer} if self.answer else {}),
            "price": str(self.price),
            "nonce": _hex(self.nonce),
            "time": self.time,
        }


@dataclass(frozen=True, slots=True)
class SignedReceipt:
    """A receipt with its worker's signature, in the form of the worker's ledger."""

    receipt: Receipt
    signature: bytes

    def verify(self, accounts: AccountCodec) -> Account:
        """Check that the worker that the receipt names signed it; gives the worker's account.

        `accounts` is the codec of the worker's ledger.

        Raises:
            ReceiptInvalid: it did not, the signature is not in its ledger's one valid form, or the
                worker is not named as that ledger writes accounts.
        """
        said = self.receipt
        try:
            account = account_named(said.worker, accounts)
        except (InvalidAccountId, InvalidLedgerId) as error:
            raise ReceiptInvalid(f"The receipt's worker is no account. {error.what}") from error
        if not said.is_signed(self.signature, account, accounts):
            raise ReceiptInvalid(
                f"The receipt names worker {said.worker}, who has not signed these bytes."
            )
        return account

    def to_json(self) -> str:
        """Write the canonical JSON form (RFC 8785).

        All of it is printable ASCII and whole numbers, so sorting is all that there is to do.
        """
        return json.dumps(self.as_document(), sort_keys=True, separators=(",", ":"))

    def _repr_html_(self) -> str:
        """Give what the worker states, for a notebook; that it did state it, `verify` checks."""
        said = self.receipt
        when = datetime.fromtimestamp(said.time, UTC) if said.time <= _LAST_DATE else said.time
        stated = {
            "worker": said.worker,
            "model": f"caimi:{said.ledger}:{_hex(said.model_id)}@{said.version}",
            "manifest": _hex(said.manifest),
            "input": _hex(said.input_hash),
            "output": _hex(said.output_hash),
            "engine": said.engine,
            "answer": said.answer,
            "price": f"{said.price} in the ledger's smallest unit",
            "time": when,
            "signature": _hex(self.signature),
        }
        return html_text.facts("Receipt (not verified here)", stated)

    def as_document(self) -> dict[str, str | int]:
        """Give the JSON form as an object."""
        return {**self.receipt.as_document(), "signature": _hex(self.signature)}


@lru_cache(maxsize=1024)
def _is_account(name: str) -> bool:
    try:
        return str(AccountId.parse(name)) == name
    except (InvalidAccountId, InvalidLedgerId):
        return False


def _hex(value: bytes) -> str:
    return f"0x{value.hex()}"


def _is_plain(text: str) -> bool:
    return 1 <= len(text) <= MAX_TEXT and text.isascii() and text.isprintable()
