"""Calls as words: what is done, with plain values, so that they can be written down and read."""

from __future__ import annotations

import secrets
from ast import literal_eval
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from caimi.errors.ledgers import CallInvalid
from caimi.hashing import sha256
from caimi.ledgers.port import Call, LedgerId, SignedCall, Signer

SIGNATURE_BYTES: Final = 64
R_co = TypeVar("R_co", covariant=True)


@dataclass(frozen=True, slots=True)
class MemoryCall(Call[R_co]):
    """One act by its name (`acts.ACTS`); `effect` reads what the contracts give for it.

    Arguments are bytes, texts, numbers, truth values and tuples of such.
    """

    act: str
    arguments: tuple[Any, ...]
    effect: Callable[[Any], R_co]


def nothing(result: object) -> None:
    """Read no effect."""


def same(result: Any) -> Any:
    """Give what the contracts gave."""
    return result


@dataclass(frozen=True, slots=True)
class Envelope:
    """What an author signs: an act that lapses after the block `until`. `salt` tells equal ones."""

    ledger: str
    author: bytes
    act: str
    arguments: tuple[Any, ...]
    until: int
    salt: bytes


@dataclass(frozen=True, slots=True)
class Signed:
    """A signed envelope and the name that it goes by."""

    envelope: Envelope
    tx: str
    digest: bytes
    signature: bytes


def sign(call: MemoryCall[object], signer: Signer, until: int) -> SignedCall:
    """Sign a call that lapses after the block `until`."""
    parts = (
        str(call.ledger),
        bytes(signer.account),
        call.act,
        call.arguments,
        until,
        secrets.token_bytes(16),
    )
    body = repr(parts).encode()
    raw = signer.sign_digest(sha256(body)) + body
    return SignedCall(LedgerId(call.ledger), call.what, _name(raw), raw)


def read(signed: SignedCall) -> Signed:
    """Take a signed call apart again.

    Raises:
        CallInvalid: it is damaged.
    """
    signature, body = signed.raw[:SIGNATURE_BYTES], signed.raw[SIGNATURE_BYTES:]
    try:
        parts = literal_eval(body.decode())
        if _name(signed.raw) != signed.tx:
            raise ValueError
        envelope = Envelope(*parts)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
        raise CallInvalid(f"The recorded call {signed.tx} is damaged.") from error
    return Signed(envelope, signed.tx, sha256(body), signature)


def _name(raw: bytes) -> str:
    return f"call-{sha256(raw).hex()}"
