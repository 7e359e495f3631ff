"""What a host and the process that runs its module say to each other.

Messages go over a pair of sequenced-packet sockets, one packet each; tensors, modules and streamed
weights go through shared memory, whose descriptors travel with the first message. The child imports
this module without the rest of `caimi`: the standard library is all there is.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

MAX_PACKET: Final = 4096
MAX_TEXT: Final = 1024
MAX_FILES: Final = 128
_ALIGNMENT: Final = 64
_NO_FILE: Final = 2**64 - 1

STACK_BYTES: Final = 1024 * 1024
SETTINGS: Final = (
    ("consume_fuel", True),
    ("max_wasm_stack", STACK_BYTES),
    ("parallel_compilation", False),
    ("memory_init_cow", False),
    ("shared_memory", False),
    ("wasm_simd", True),
    ("wasm_threads", False),
    ("wasm_relaxed_simd", False),
    ("wasm_multi_memory", False),
    ("wasm_memory64", False),
    ("wasm_tail_call", False),
    ("wasm_exceptions", False),
    ("wasm_stack_switching", False),
    ("wasm_wide_arithmetic", False),
    ("wasm_custom_page_sizes", False),
    ("cranelift_nan_canonicalization", False),
)
"""wasmtime's settings, in their order. What could make results differ between machines is off; NaNs
are the module's own concern. Some settings abort the process together: change them with care.
"""

COMPILE: Final = struct.Struct("<cQQ")
"""``C``, bytes of the module, room for its machine code; with descriptors of both."""
LOAD: Final = struct.Struct("<cQQQQI")
"""``L``, bytes of machine code, bytes of the plan, fuel, most bytes of memory, mode."""
RUN: Final = struct.Struct("<cQQQ")
"""``R``, rows, fuel, bytes of the shared memory for tensors."""
PIECES: Final = b"P"
PIECE: Final = struct.Struct("<QQ")
"""After ``P``, as often as there are pieces: where in the window, how many bytes."""
MAX_PIECES: Final = (MAX_PACKET - 1) // PIECE.size
TAKEN: Final = b"T"
"""The child has copied all pieces, needs more, and the host may use their places again."""
NO_PIECE: Final = b"F"
"""The host cannot give the weight that was asked for."""

DONE: Final = struct.Struct("<cQQ")
"""``D``, fuel used, bytes of memory; a compilation gives the bytes of machine code instead."""
WANT: Final = struct.Struct("<cQQQ")
"""``W``, weight, first byte, how many."""
FAILED: Final = struct.Struct("<cIiQQ")
"""``E``, a `Failure`, the number that the module gave, fuel used, bytes of memory; then a text."""


class Failure(IntEnum):
    """Why a module did not run."""

    REFUSED = 1
    TRAP = 2
    STACK = 3
    FUEL = 4
    STATUS = 5
    LIE = 6
    RANGE = 7
    WEIGHT = 8


@dataclass(frozen=True, slots=True)
class Slot:
    """One input or output: bytes of one call, and whether each row has its own."""

    size: int
    by_row: bool


@dataclass(frozen=True, slots=True)
class Place:
    """Where a weight lies: in the descriptor at `file`, or, where that is None, with the host."""

    file: int | None
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What the child needs to know of a module beside its machine code."""

    inputs: tuple[Slot, ...]
    outputs: tuple[Slot, ...]
    places: tuple[Place, ...]

    def encode(self) -> bytes:
        """Write it as 64-bit numbers of this machine."""
        numbers = array("Q", (len(self.inputs), len(self.outputs), len(self.places)))
        for slot in (*self.inputs, *self.outputs):
            numbers.extend((slot.size, slot.by_row))
        for place in self.places:
            file = _NO_FILE if place.file is None else place.file
            numbers.extend((file, place.offset, place.size))
        return numbers.tobytes()

    @classmethod
    def decode(cls, data: bytes) -> Plan:
        """Read what `encode` wrote; the host is believed."""
        numbers = array("Q")
        numbers.frombytes(data)
        inputs, outputs, places = numbers[:3]
        slots = [
            Slot(size, bool(by_row))
            for size, by_row in _groups(numbers[3 : 3 + 2 * (inputs + outputs)], 2)
        ]
        table = _groups(numbers[len(numbers) - 3 * places :], 3)
        return cls(
            tuple(slots[:inputs]),
            tuple(slots[inputs:]),
            tuple(Place(None if file == _NO_FILE else file, at, size) for file, at, size in table),
        )

    def layout(self, rows: int) -> tuple[list[int], int]:
        """Give where each input and output begins in the shared memory, and the end of all."""
        starts = []
        end = 0
        for slot in (*self.inputs, *self.outputs):
            starts.append(end)
            size = slot.size * (rows if slot.by_row else 1)
            end += -(-size // _ALIGNMENT) * _ALIGNMENT
        return starts, end


def plain(words: bytes) -> str:
    """Give what a child says as one line that a terminal shows as it is, at most 300 characters."""
    text = words.decode("utf-8", "replace")
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())[:300]


def _groups(numbers: Sequence[int], size: int) -> Iterable[Sequence[int]]:
    return (numbers[at : at + size] for at in range(0, len(numbers), size))
