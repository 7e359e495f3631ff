"""Statements for families without a form of their own: words, each with its length."""

from __future__ import annotations

from typing import Final

from caimi.ledgers.port import Statement

TAG: Final = b"caimi/statement/1"


def encoded(statement: Statement) -> bytes:
    """Give the one encoding of a statement: no other statement has it."""
    kind = statement.type
    words = [kind.domain.name.encode(), kind.domain.version.encode(), kind.name.encode()]
    for (name, of), value in zip(kind.fields, statement.values, strict=True):
        words += [name.encode(), of.value.encode(), _bytes(value)]
    return TAG + b"".join(len(word).to_bytes(4) + word for word in words)


def _bytes(value: str | bytes | int) -> bytes:
    match value:
        case str():
            return value.encode()
        case bytes():
            return value
    return value.to_bytes(32)
