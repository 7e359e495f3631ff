"""Calls: an act and its arguments, how an author signs them, and how they are written down."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from caimi.errors.ledgers import CallInvalid
from caimi.ledgers.machine.typed import fitted, flat
from caimi.ledgers.machine.values import Value, decode_value, encode_value
from caimi.ledgers.port import (
    Account,
    AccountCodec,
    Call,
    FieldType,
    LedgerId,
    SignedCall,
    Signer,
    Statement,
    StatementDomain,
    StatementType,
)

R_co = TypeVar("R_co", covariant=True)

ACT: Final = StatementType(
    StatementDomain("CAIMI", "1"),
    "Act",
    (
        ("ledger", FieldType.STRING),
        ("author", FieldType.BYTES),
        ("act", FieldType.STRING),
        ("arguments", FieldType.BYTES),
        ("until", FieldType.UINT64),
        ("salt", FieldType.BYTES),
    ),
)
"""What an author signs: an act that lapses once the ledger's age is past `until`.

`salt` tells equal ones.
"""


@dataclass(frozen=True, slots=True)
class MachineCall(Call[R_co]):
    """One act by its name (`acts.ACTS`); `effect` reads what the contracts give for it.

    Arguments are plain values, or records of the contracts.
    """

    act: str
    arguments: tuple[Any, ...]
    effect: Callable[[Any], R_co]


def nothing(result: object) -> None:
    """Read no effect."""


def same(result: Any) -> Any:  # noqa: ANN401 - each act gives something of its own
    """Give what the contracts gave."""
    return result


@dataclass(frozen=True, slots=True)
class Envelope:
    """What was signed, in the order of `ACT`; `arguments` is the encoding of a row of values."""

    ledger: str
    author: bytes
    act: str
    arguments: bytes
    until: int
    salt: bytes

    @property
    def statement(self) -> Statement:
        """What the author signs."""
        return ACT.state(self.ledger, self.author, self.act, self.arguments, self.until, self.salt)

    def read_arguments(self) -> tuple[Value, ...]:
        """Give the arguments; raises `ValueError` where they are no row of values."""
        found = decode_value(self.arguments)
        if not isinstance(found, tuple):
            raise ValueError("arguments are a row")
        return found


@dataclass(frozen=True, slots=True)
class SignedAct:
    """A signed envelope, and the name that it goes by whoever signed it."""

    envelope: Envelope
    signature: bytes
    tx: str

    def is_signed(self, accounts: AccountCodec) -> bool:
        """Tell whether its author signed it."""
        said = self.envelope
        author = Account(LedgerId(said.ledger), said.author)
        return accounts.verify(said.statement, author, self.signature)


def random_salt() -> bytes:
    """Give 16 bytes that no other call has."""
    return secrets.token_bytes(16)


def sign(
    call: MachineCall[object],
    signer: Signer,
    until: int,
    accounts: AccountCodec,
    salt: bytes | None = None,
) -> SignedCall:
    """Sign a call that lapses after `until` (`Machine.age`); `salt` is random by default.

    Raises:
        CallInvalid: its arguments cannot be written down.
    """
    try:
        arguments = encode_value(flat(call.arguments))
    except ValueError as error:
        raise CallInvalid(f"{call.what}: {error}.") from error
    own = random_salt() if salt is None else salt
    said = Envelope(str(call.ledger), signer.account, call.act, arguments, until, own)
    signature = signer.sign_digest(accounts.digest(said.statement))
    raw = encode_value((flat(said), signature))
    return SignedCall(LedgerId(call.ledger), call.what, _name(said, accounts), raw)


def read(signed: SignedCall, accounts: AccountCodec) -> SignedAct:
    """Take a signed call apart again.

    Raises:
        CallInvalid: it is damaged.
    """
    try:
        act = decode_act(signed.raw, accounts)
        if act.tx != signed.tx:
            raise ValueError("it goes by another name")
    except ValueError as error:
        raise CallInvalid(f"The recorded call {signed.tx} is damaged.") from error
    return act


def encode_act(signed: SignedAct) -> bytes:
    """Write a signed act down, as `SignedCall.raw` is."""
    return encode_value((flat(signed.envelope), signed.signature))


def decode_act(raw: bytes, accounts: AccountCodec) -> SignedAct:
    """Read the one encoding of a signed act; raises `ValueError` where it is none."""
    envelope, signature = fitted(tuple[Envelope, bytes], decode_value(raw))
    return SignedAct(envelope, signature, _name(envelope, accounts))


def _name(said: Envelope, accounts: AccountCodec) -> str:
    return f"call-{accounts.digest(said.statement).hex()}"
