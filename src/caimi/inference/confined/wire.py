"""What a host and the processes that run ONNX Runtime say to each other.

As for modules: packets over sequenced-packet sockets, tensors through shared memory. A process has
one channel, over which it is told what to load, and a socket for each run that it can do at a time.
The child imports this module without the rest of `caimi`: the standard library is all there is.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator, Sequence
from typing import Final

MAX_PACKET: Final = 4096
MAX_TEXT: Final = 1024
MAX_DESCRIPTORS: Final = 250
MAX_FILES: Final = 128
MAX_RANK: Final = 64
MAX_REPORT_BYTES: Final = 4 << 20
ALIGNMENT: Final = 64

FORK: Final = b"F"
"""To the nursery, with the ends of the child's channel and of the pipe that tells how it ended."""
FORKED: Final = b"P"
"""The nursery's answer, with a descriptor of the process."""
ENDED: Final = struct.Struct("<i")
"""What the pipe gives: the exit status, or the signal's number as a negative one."""
LOAD: Final = struct.Struct("<cQ")
"""``L``, bytes of what is to be loaded, as JSON in the first descriptor. Then the model's file, the
shared memory for the report, sockets of runs, and the files of external weights, in their order.
"""
RUN: Final = struct.Struct("<cQQ")
"""``R``, bytes of the description of the inputs, which the shared memory begins with, and where the
inputs end; with the memory's descriptor when it is another one."""
ROOM: Final = struct.Struct("<cQ")
"""``W``, how many bytes of shared memory the outputs need; the answer has it, or ends the run."""
MORE: Final = b"M"
NO_MORE: Final = b"N"
DONE: Final = struct.Struct("<cQ")
"""``D``, bytes of the report, or of the description of the outputs."""
FAILED: Final = b"E"
"""Then a text."""


def describe(tensors: Sequence[tuple[int, tuple[int, ...]]]) -> bytes:
    """Write the bytes and the sizes of each tensor, as 64-bit numbers of this machine."""
    numbers = array("Q")
    for size, shape in tensors:
        numbers.extend((size, len(shape), *shape))
    return numbers.tobytes()


def described(data: bytes, count: int) -> list[tuple[int, tuple[int, ...]]]:
    """Read what `describe` wrote of `count` tensors.

    Raises:
        ValueError: it is something else.
    """
    numbers = array("Q")
    numbers.frombytes(data)
    found = []
    at = 0
    for _ in range(count):
        if at + 2 > len(numbers) or numbers[at + 1] > MAX_RANK:
            raise ValueError("no description of a tensor")
        size, rank = numbers[at], numbers[at + 1]
        at += 2 + rank
        if at > len(numbers):
            raise ValueError("a description is cut off")
        found.append((size, tuple(numbers[at - rank : at])))
    if at != len(numbers):
        raise ValueError("more than was asked for")
    return found


def aligned(size: int) -> int:
    """Round up, so that every tensor begins where any type may."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def layout(start: int, sizes: Sequence[int]) -> tuple[list[int], int]:
    """Give where each of some tensors begins, and the end of all."""
    starts = []
    for size in sizes:
        starts.append(start)
        start += aligned(size)
    return starts, start


def pack_texts(texts: Sequence[bytes]) -> bytes:
    """Write texts one after the other, each with its length before it."""
    return b"".join(len(text).to_bytes(8, "little") + text for text in texts)


def unpack_texts(data: bytes) -> Iterator[bytes]:
    """Read what `pack_texts` wrote.

    Raises:
        ValueError: it is something else.
    """
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 8], "little")
        at += 8 + size
        if at > len(data):
            raise ValueError("a text is cut off")
        yield data[at - size : at]
