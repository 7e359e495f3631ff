"""Statements as EIP-712 typed data, digested: what EVM wallets show, and attesting keys sign.

The domain has a name and a version alone: what a statement is about is in its fields. Written out
here, since a general encoder takes ten times as long and a worker signs thousands a second.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

from caimi.hashing import keccak256
from caimi.ledgers.port import FieldType, Statement, StatementType

_Word = Callable[[Any], bytes]
_DOMAIN_TYPE: Final = keccak256(b"EIP712Domain(string name,string version)")
_TYPES: Final = {
    FieldType.STRING: "string",
    FieldType.BYTES: "bytes",
    FieldType.BYTES32: "bytes32",
    FieldType.UINT64: "uint64",
    FieldType.UINT256: "uint256",
    FieldType.BOOL: "bool",
}


def typed_data_digest(statement: Statement) -> bytes:
    """Give the digest of a statement (EIP-712, definition of `hashTypedData`), 32 bytes."""
    prefix, type_hash, words = _layout(statement.type)
    values = zip(words, statement.values, strict=True)
    return keccak256(
        prefix + keccak256(b"".join((type_hash, *(word(value) for word, value in values))))
    )


@lru_cache(maxsize=64)
def _layout(kind: StatementType) -> tuple[bytes, bytes, tuple[_Word, ...]]:
    """Give what the digests of a type begin with, its hash, and how each field is written."""
    names = _text_hash(kind.domain.name) + _text_hash(kind.domain.version)
    members = ",".join(f"{_TYPES[of]} {name}" for name, of in kind.fields)
    return (
        b"\x19\x01" + keccak256(_DOMAIN_TYPE + names),
        keccak256(f"{kind.name}({members})".encode()),
        tuple(_WORDS[of] for _, of in kind.fields),
    )


@lru_cache(maxsize=1024)
def _text_hash(text: str) -> bytes:
    return keccak256(text.encode())


def _number(value: int) -> bytes:
    return value.to_bytes(32)


_WORDS: Final[Mapping[FieldType, _Word]] = {
    FieldType.STRING: _text_hash,
    FieldType.BYTES: keccak256,
    FieldType.BYTES32: bytes,
    FieldType.UINT64: _number,
    FieldType.UINT256: _number,
    FieldType.BOOL: _number,
}
