"""Signed transactions as a node takes them, and what an EVM made of them."""

from __future__ import annotations

from dataclasses import dataclass

import rlp
from coincurve import PublicKey

from caimi.hashing import keccak256

BLOCK_GAS = 30_000_000


@dataclass(frozen=True, slots=True)
class Transaction:
    """A type 2 transaction (EIP-1559) with its recovered sender."""

    hash: bytes
    sender: bytes
    nonce: int
    tip: int
    most: int
    gas: int
    to: bytes
    value: int
    data: bytes

    @classmethod
    def decode(cls, raw: bytes, chain: int) -> Transaction:
        """Take a raw transaction apart; raises `ValueError`."""
        if raw[:1] != b"\x02":
            raise ValueError("not a type 2 transaction")
        fields = rlp.decode(raw[1:], strict=True)
        number, nonce, tip, most, gas = (int.from_bytes(field) for field in fields[:5])
        if number != chain:
            raise ValueError("invalid chain id")
        r, s = (field.rjust(32, b"\0") for field in fields[10:12])
        digest = keccak256(b"\x02" + rlp.encode(fields[:9]))
        signature = r + s + bytes([int.from_bytes(fields[9])])
        key = PublicKey.from_signature_and_message(signature, digest, hasher=None)
        sender = keccak256(key.format(compressed=False)[1:])[12:]
        return cls(
            keccak256(raw),
            sender,
            nonce,
            tip,
            most,
            gas,
            fields[5],
            int.from_bytes(fields[6]),
            fields[7],
        )


@dataclass(frozen=True, slots=True)
class Log:
    """One event log; `document` is how JSON-RPC shows it."""

    address: bytes
    topics: tuple[bytes, ...]
    data: bytes
    height: int
    tx: bytes
    document: dict[str, object]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a transaction did. `output` is the reason when it failed."""

    transaction: Transaction
    height: int
    succeeded: bool
    gas_used: int
    output: bytes
    created: bytes
    logs: tuple[Log, ...]


@dataclass(frozen=True, slots=True)
class SimBlock:
    """A block of a simulated ledger."""

    height: int
    time: int
    hash: bytes
    parent: bytes
    base_fee: int
    transactions: tuple[Transaction, ...]
