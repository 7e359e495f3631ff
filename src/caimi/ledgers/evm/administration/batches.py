"""Batches for multi-signature accounts, in the files that Safe's Transaction Builder imports.

A file has `version` 1.0, the chain's number, and transactions of `to`, `value` and `data`. Its
checksum is Keccak-256 of the document without name and checksum, as the Transaction Builder of the
Safe apps writes objects: the sorted names, then the values in that order.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from caimi.errors.batches import BatchInvalid
from caimi.hashing import keccak256
from caimi.hex_text import read_either_case
from caimi.json_text import read_json
from caimi.ledgers.evm.administration.timelock import TimelockCall
from caimi.signatures import account_text

MAX_BATCH_BYTES: Final = 1 << 20
MAX_TRANSACTIONS: Final = 100
_VERSION: Final = "1.0"
_BUILDER: Final = "1.16.5"
"""The Transaction Builder whose files these are like."""
_META: Final = {
    "name",
    "description",
    "txBuilderVersion",
    "createdFromSafeAddress",
    "createdFromOwnerAddress",
    "checksum",
}
_TIMES: Final = range(1 << 53)
"""Numbers that every reader of JSON takes for the same."""
_MAX_NUMBER: Final = 1 << 256


@dataclass(frozen=True, slots=True)
class SafeBatch:
    """What a multi-signature account is to do, in order; `safe` is empty where no account is named.

    `created_at` is in milliseconds since the epoch.
    """

    chain: int
    name: str
    safe: bytes
    created_at: int
    calls: tuple[TimelockCall, ...]


def write_batch(batch: SafeBatch) -> str:
    """Write a batch as JSON text."""
    document = {
        "version": _VERSION,
        "chainId": str(batch.chain),
        "createdAt": batch.created_at,
        "meta": {
            "name": batch.name,
            "description": "",
            "txBuilderVersion": _BUILDER,
            "createdFromSafeAddress": account_text(batch.safe) if batch.safe else "",
            "createdFromOwnerAddress": "",
        },
        "transactions": [
            {
                "to": account_text(call.target),
                "value": str(call.value),
                "data": f"0x{call.data.hex()}",
                "contractMethod": None,
                "contractInputsValues": None,
            }
            for call in batch.calls
        ],
    }
    document["meta"] = {**document["meta"], "checksum": _checksum(document)}  # type: ignore[dict-item]
    return json.dumps(document, indent=2) + "\n"


def read_batch(data: bytes, chain: int) -> SafeBatch:
    """Read a batch for the chain of that number.

    Raises:
        BatchInvalid: it is anything else, or other than its checksum says.
    """
    if len(data) > MAX_BATCH_BYTES:
        raise BatchInvalid(f"A batch of {len(data)} bytes is more than {MAX_BATCH_BYTES}.")
    try:
        document = read_json(data)
    except (ValueError, RecursionError) as error:
        raise BatchInvalid(f"The file is no JSON: {error}.") from error
    match document:
        case {
            "version": "1.0",
            "chainId": str(number),
            "createdAt": int(created_at),
            "meta": {"name": str(name), **told},
            "transactions": [_, *_] as listed,
            **rest,
        } if not rest and told.keys() <= _META and all(isinstance(x, str) for x in told.values()):
            pass
        case _:
            raise BatchInvalid("The file is no batch of Safe's Transaction Builder, version 1.0.")
    if number != str(chain):
        raise BatchInvalid(f"The batch is for chain {number:.40}, and this ledger is {chain}.")
    if "checksum" in told and told["checksum"] != _checksum(document):
        raise BatchInvalid("The batch is not what its checksum says: it was changed by hand.")
    if len(listed) > MAX_TRANSACTIONS or created_at not in _TIMES or created_at is True:
        raise BatchInvalid(f"A batch has at most {MAX_TRANSACTIONS} transactions, and a time.")
    safe = str(told.get("createdFromSafeAddress", ""))
    calls = tuple(_call(each, place) for place, each in enumerate(listed, start=1))
    return SafeBatch(chain, name, _address(safe, "its account") if safe else b"", created_at, calls)


def _call(listed: object, place: int) -> TimelockCall:
    match listed:
        case {"to": str(to), "value": str(value), "data": str(data), **rest} if (
            value.isascii()
            and value.isdecimal()
            and len(value) < 79
            and int(value) < _MAX_NUMBER
            and rest.keys() <= {"contractMethod", "contractInputsValues"}
            and all(each is None for each in rest.values())
        ):
            pass
        case _:
            raise BatchInvalid(
                f"Transaction {place} is not to, value and data alone.",
                why="What a file says of a method beside the data, an importer may take instead.",
            )
    try:
        content = bytes.fromhex(data.removeprefix("0x"))
    except ValueError as error:
        raise BatchInvalid(f"The data of transaction {place} is no hex.") from error
    if data != f"0x{content.hex()}":
        raise BatchInvalid(f"The data of transaction {place} is no hex with 0x, in small letters.")
    return TimelockCall(_address(to, f"transaction {place}"), int(value), content)


def _address(text: str, of: str) -> bytes:
    try:
        return read_either_case(text, 20)
    except ValueError as error:
        raise BatchInvalid(f"{text!r:.60}, of {of}, is no address.") from error


def _checksum(document: dict[str, object]) -> str:
    meta = document["meta"]
    assert isinstance(meta, dict)
    without = {key: value for key, value in meta.items() if key != "checksum"} | {"name": None}
    text = _serialised({**document, "meta": without})
    return f"0x{keccak256(text.encode('utf-8', 'surrogatepass')).hex()}"


def _serialised(value: object) -> str:
    if isinstance(value, dict):
        keys = sorted(value)
        inner = "".join(f"{_serialised(value[key])}," for key in keys)
        return f"{{{_text(keys)}{inner}}}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{','.join(map(_serialised, value))}]"
    return _text(value)


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
