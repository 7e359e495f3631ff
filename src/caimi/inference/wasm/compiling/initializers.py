"""Where an ONNX file keeps its weights: the byte range of every initializer that is stored plainly.

A compiled module reads its weights from the ONNX file itself, so that a package holds them once.
The file is walked as Protocol Buffers wire format (ModelProto.graph 7, GraphProto.initializer 5,
TensorProto of onnx.proto), which the onnx package does not tell positions of.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from caimi.errors.inference import ModelNotRunnable
from caimi.inference.wasm.metadata import Weight

_GRAPH: Final = 7
_INITIALIZER: Final = 5
_NAME: Final = 8
_PLAIN: Final = {9, 4, 10}
"""raw_data, and the packed float_data and double_data: little-endian elements, end to end."""
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def initializer_ranges(data: bytes, file: str) -> dict[str, Weight]:
    """Find the initializers of an ONNX file whose elements lie in it as one plain run of bytes.

    Raises:
        ModelNotRunnable: the bytes are no Protocol Buffers message.
    """
    found: dict[str, Weight] = {}
    for field, start, end in _fields(data, 0, len(data)):
        if field != _GRAPH:
            continue
        for inner, first, last in _fields(data, start, end):
            if inner == _INITIALIZER:
                _add_tensor(data, first, last, file, found)
    return found


def _add_tensor(data: bytes, start: int, end: int, file: str, found: dict[str, Weight]) -> None:
    name, runs = "", []
    for field, first, last in _fields(data, start, end):
        if field == _NAME:
            name = data[first:last].decode(errors="replace")
        elif field in _PLAIN and last > first:
            runs.append((first, last))
    if len(runs) == 1:
        found[name] = Weight(file, runs[0][0], runs[0][1] - runs[0][0])


def _fields(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Give number, start and end of every length-delimited field of a message."""
    while at < end:
        key, at = _varint(data, at, end)
        kind = key & 7
        if kind == _VARINT:
            _, at = _varint(data, at, end)
            continue
        if kind == _BYTES:
            size, at = _varint(data, at, end)
        elif kind in (_FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
        else:
            raise ModelNotRunnable("The ONNX file has a field of an unknown wire type.")
        if size > end - at:
            raise ModelNotRunnable("The ONNX file is cut off.")
        if kind == _BYTES:
            yield key >> 3, at, at + size
        at += size


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise ModelNotRunnable("The ONNX file has a number that does not end.")
