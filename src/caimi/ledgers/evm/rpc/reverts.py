"""What a contract says when it refuses, turned into a named error with the contract's own words."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from caimi.errors.ledgers import TransactionReverted
from caimi.ledgers.evm.abi.codec import DecodingError, Value
from caimi.ledgers.evm.abi.interface import ErrorType
from caimi.ledgers.evm.artifacts import CONTRACTS, artifact
from caimi.ledgers.refusals import NAMED

_ERROR = ErrorType("Error", bytes.fromhex("08c379a0"), (("message", "string"),))
_PANIC = ErrorType("Panic", bytes.fromhex("4e487b71"), (("code", "uint256"),))
_MAX_SHOWN = 200
_IDS = frozenset({"modelId", "tokenId"})


@cache
def known_errors() -> dict[bytes, ErrorType]:
    """Every custom error of the shipped contracts by selector."""
    table = {_ERROR.selector: _ERROR, _PANIC.selector: _PANIC}
    for contract in CONTRACTS:
        for error in artifact(contract).interface.errors.values():
            same = table.get(error.selector, error)
            if same != error:  # two contracts call its parameters differently
                nameless = tuple(("", kind) for _, kind in error.parameters)
                error = replace(error, parameters=nameless)  # noqa: PLW2901 - the same error
            table[error.selector] = error
    return table


def reverted(what: str, output: bytes, *, tx: str = "") -> TransactionReverted:
    """Give the error for a revert of `what` (in words) with `output`; `tx` when it was included."""
    where = f"{what} reverted on the ledger in transaction {tx}" if tx else f"{what} is refused"
    known = known_errors().get(output[:4])
    if known is None:
        shown = f"0x{output[:36].hex()}" if output else "no reason given"
        return TransactionReverted(f"{where}: {shown}.", tx=tx)
    try:
        arguments = known.decode(output)
    except DecodingError:
        return TransactionReverted(f"{where}: {known.name} with malformed arguments.", tx=tx)
    named = NAMED.get(known.name, TransactionReverted)
    return named(
        f"{where}: {describe(known, arguments)}.", error=known.name, arguments=arguments, tx=tx
    )


def describe(error: ErrorType, arguments: tuple[Value, ...]) -> str:
    """Write an error as ``Name(argument value, ...)``."""
    if error is _ERROR:
        return _shown(arguments[0])
    parts = (
        f"{name} {_shown(_word(value) if name in _IDS else value)}".strip()
        for (name, _), value in zip(error.parameters, arguments, strict=True)
    )
    return f"{error.name}({', '.join(parts)})"


def _word(value: Value) -> bytes:
    return int(value).to_bytes(32, "big")


def _shown(value: Value) -> str:
    if isinstance(value, bytes):
        text = f"0x{value.hex()}"
    elif isinstance(value, str):
        text = repr(value)
    else:
        text = str(value)
    return text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "..."
