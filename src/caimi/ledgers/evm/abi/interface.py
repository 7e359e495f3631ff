"""Contract interfaces as typed encoders and decoders (Solidity contract ABI specification).

Types are parsed once; tuples come out as tuples, addresses as 20 bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

from caimi.errors.ledgers import CallInvalid, EventInvalid, LedgerAnswerInvalid
from caimi.hashing import keccak256
from caimi.ledgers.evm.abi.codec import DecodingError, EncodingError, Value, codec_of

AbiEntry: TypeAlias = Mapping[str, Any]


def encode(types: Sequence[str], values: Sequence[Value]) -> bytes:
    """Encode values of ABI `types`.

    Raises:
        CallInvalid: a value does not fit its type.
    """
    try:
        return codec_of(tuple(types)).encode(values)
    except EncodingError as error:
        raise CallInvalid(f"A value does not fit ({', '.join(types)}): {error}.") from error


def decode(types: Sequence[str], data: bytes) -> tuple[Value, ...]:
    """Decode values of ABI `types`, strictly.

    Raises:
        DecodingError: `data` is not an encoding of them.
    """
    values: tuple[Value, ...] = codec_of(tuple(types)).decode(data, 0)[0]
    return values


def type_of(entry: AbiEntry) -> str:
    """Give the canonical type of one ABI parameter: tuples are written out."""
    kind = str(entry["type"])
    if not kind.startswith("tuple"):
        return kind
    inner = ",".join(type_of(part) for part in entry["components"])
    return f"({inner}){kind.removeprefix('tuple')}"


def _types(entries: Sequence[AbiEntry]) -> tuple[str, ...]:
    return tuple(type_of(entry) for entry in entries)


def _signature(entry: AbiEntry) -> str:
    return f"{entry['name']}({','.join(_types(entry['inputs']))})"


@dataclass(frozen=True, slots=True)
class Method:
    """A function of a contract."""

    name: str
    selector: bytes
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def encode(self, *arguments: Value) -> bytes:
        """Encode a call.

        Raises:
            CallInvalid: an argument does not fit its type.
        """
        return self.selector + encode(self.inputs, arguments)

    def decode(self, output: bytes) -> tuple[Value, ...]:
        """Decode a call's output.

        Raises:
            LedgerAnswerInvalid: it is not what the function returns.
        """
        try:
            return decode(self.outputs, output)
        except DecodingError as error:
            raise LedgerAnswerInvalid(f"{self.name} returned something else: {error}.") from error


@cache
def _layout(
    parameters: tuple[tuple[str, str, bool], ...],
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[int, ...]]:
    """Give the types in topics, those in data, and each parameter's place among all of them."""
    indexed = [place for place, item in enumerate(parameters) if item[2]]
    plain = [place for place, item in enumerate(parameters) if not item[2]]
    order = indexed + plain
    return (
        tuple(parameters[place][1] for place in indexed),
        tuple(parameters[place][1] for place in plain),
        tuple(order.index(place) for place in range(len(parameters))),
    )


@dataclass(frozen=True, slots=True)
class EventType:
    """An event of a contract: its parameters as (name, type, whether indexed)."""

    name: str
    topic: bytes
    parameters: tuple[tuple[str, str, bool], ...]

    def decode(self, topics: Sequence[bytes], data: bytes) -> dict[str, Value]:
        """Decode a log of this event.

        Raises:
            EventInvalid: topics or data are not this event's.
        """
        indexed, plain, places = _layout(self.parameters)
        if len(topics) != len(indexed) + 1 or topics[0] != self.topic:
            raise EventInvalid(f"A log of {self.name} has {len(topics)} topics.")
        try:
            # A topic is one word, as in a tuple of such types.
            values = decode(indexed, b"".join(topics[1:])) + decode(plain, data)
        except DecodingError as error:
            raise EventInvalid(f"A log of {self.name} cannot be decoded: {error}.") from error
        return {
            name: values[place] for (name, _, _), place in zip(self.parameters, places, strict=True)
        }


@dataclass(frozen=True, slots=True)
class ErrorType:
    """A custom error of a contract."""

    name: str
    selector: bytes
    parameters: tuple[tuple[str, str], ...]

    def decode(self, output: bytes) -> tuple[Value, ...]:
        """Decode a revert's output after its selector; raises `DecodingError`."""
        return decode([kind for _, kind in self.parameters], output[4:])


class Interface:
    """A contract's functions, events and errors by name."""

    def __init__(self, abi: Sequence[AbiEntry]) -> None:
        self.methods: dict[str, Method] = {}
        self.events: dict[str, EventType] = {}
        self.errors: dict[str, ErrorType] = {}
        self.constructor: tuple[str, ...] = ()
        for entry in abi:
            kind = entry["type"]
            if kind == "constructor":
                self.constructor = _types(entry["inputs"])
            elif kind == "function":
                selector = keccak256(_signature(entry).encode())[:4]
                # Of overloads the first counts: the adapter calls none.
                self.methods.setdefault(
                    entry["name"],
                    Method(
                        entry["name"], selector, _types(entry["inputs"]), _types(entry["outputs"])
                    ),
                )
            elif kind == "event":
                self.events[entry["name"]] = EventType(
                    entry["name"],
                    keccak256(_signature(entry).encode()),
                    tuple(
                        (part["name"], type_of(part), bool(part["indexed"]))
                        for part in entry["inputs"]
                    ),
                )
            elif kind == "error":
                self.errors[entry["name"]] = ErrorType(
                    entry["name"],
                    keccak256(_signature(entry).encode())[:4],
                    tuple((part["name"], type_of(part)) for part in entry["inputs"]),
                )
        self.by_topic = {event.topic: event for event in self.events.values()}

    def __getitem__(self, name: str) -> Method:
        return self.methods[name]
