"""Statements as EIP-712 typed data, digested: what EVM wallets show, and attesting keys sign.

The domain has a name and a version alone: what a statement is about is in its fields. Written out
here, since a general encoder takes ten times as long and a worker signs thousands a second.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from caimi.hashing import keccak256
from caimi.ledgers.port import FieldType, Statement, StatementDomain, StatementType

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
    fields = zip(statement.type.fields, statement.values, strict=True)
    words = b"".join(_word(kind, value) for (_, kind), value in fields)
    struct = keccak256(_type_hash(statement.type) + words)
    return keccak256(_separator(statement.type.domain) + struct)


def _word(kind: FieldType, value: str | bytes | int) -> bytes:
    match value:
        case str():
            return _text_hash(value)
        case bytes():
            return value if kind is FieldType.BYTES32 else keccak256(value)
    return value.to_bytes(32)


@lru_cache(maxsize=64)
def _separator(domain: StatementDomain) -> bytes:
    words = _text_hash(domain.name) + _text_hash(domain.version)
    return b"\x19\x01" + keccak256(_DOMAIN_TYPE + words)


@lru_cache(maxsize=64)
def _type_hash(kind: StatementType) -> bytes:
    members = ",".join(f"{_TYPES[of]} {name}" for name, of in kind.fields)
    return keccak256(f"{kind.name}({members})".encode())


@lru_cache(maxsize=1024)
def _text_hash(text: str) -> bytes:
    return keccak256(text.encode())
