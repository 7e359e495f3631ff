"""The protocol's element types, and tensors as its raw bytes: little-endian, in C order.

Elements of BYTES are ours of strings: UTF-8, each after its length of 4 bytes, little-endian. BF16
is not served: NumPy has no such type.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Final

import numpy as np

from caimi.errors.inference import UnreadableTensors
from caimi.inference.tensors import MAX_TENSORS, Array, dtype_name
from caimi.models.tensor import MAX_NAME, MAX_RANK, UNKNOWN, Tensor

MAX_SIZE: Final = 1 << 40
"""No dimension is larger, and no tensor has more elements."""
TEXT: Final = "BYTES"
_NAMES: Final = {
    "bool": "BOOL",
    **{f"int{bits}": f"INT{bits}" for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": f"UINT{bits}" for bits in (8, 16, 32, 64)},
    "float16": "FP16",
    "float32": "FP32",
    "float64": "FP64",
    "string": TEXT,
}
_DTYPES: Final = {name: dtype for dtype, name in _NAMES.items()}


def datatype_of(dtype: str) -> str:
    """Give the protocol's name of an element type.

    Raises:
        UnreadableTensors: the protocol has none.
    """
    if dtype not in _NAMES:
        raise UnreadableTensors(
            f"The Open Inference Protocol has no elements of {dtype}.",
            why="It has booleans, integers, floats of 16 to 64 bits, and byte strings.",
            next_step="Ask the worker with `caimi run --worker`, or run the model here.",
        )
    return _NAMES[dtype]


def dtype_of(datatype: str) -> str:
    """Give the element type that the protocol's name stands for.

    Raises:
        UnreadableTensors: it is unknown, or none that models here have.
    """
    if datatype not in _DTYPES:
        raise UnreadableTensors(
            f"{datatype[:40]!r} is no element type of the Open Inference Protocol that is served."
        )
    return _DTYPES[datatype]


def sizes_of(spec: Tensor) -> list[int]:
    """Give a tensor's shape as metadata has it: -1 for what is open, [-1] for an open rank."""
    shape = (UNKNOWN,) if spec.shape is None else spec.shape
    return [size if isinstance(size, int) else -1 for size in shape]


def checked_shape(name: str, shape: Sequence[object]) -> list[int]:
    """Check a tensor's shape, and that its number of elements stays within bounds.

    Raises:
        UnreadableTensors: a size is no number from 0 to `MAX_SIZE`, or there are too many.
    """
    sizes = [size for size in shape if type(size) is int and 0 <= size <= MAX_SIZE]
    if len(sizes) != len(shape) or len(shape) > MAX_RANK:
        raise UnreadableTensors(
            f"Tensor {name!r} has the impossible shape {str(list(shape[:MAX_RANK]))[:200]}."
        )
    if prod(size or 1 for size in sizes) > MAX_SIZE:
        raise UnreadableTensors(f"Tensor {name!r} has the impossible shape {sizes}.")
    return sizes


def checked_names(names: Sequence[str]) -> None:
    """Check tensors' names: of bounded number and length, each once.

    Raises:
        UnreadableTensors: they are not.
    """
    if len(names) > MAX_TENSORS or any(not 1 <= len(name) <= MAX_NAME for name in names):
        raise UnreadableTensors(
            f"There are at most {MAX_TENSORS} tensors, with names of 1 to {MAX_NAME} characters."
        )
    if len(set(names)) != len(names):
        raise UnreadableTensors("Two tensors have the same name.")


def from_raw(name: str, datatype: str, shape: list[int], data: bytes | memoryview) -> Array:
    """Take a tensor's raw bytes; `shape` was checked.

    Raises:
        UnreadableTensors: bytes and shape do not fit, or an element is none of its type.
    """
    dtype = dtype_of(datatype)
    if datatype == TEXT:
        return shaped(_texts(name, data, prod(shape)), shape)
    kind = np.dtype(dtype).newbyteorder("<")
    if len(data) != prod(shape) * kind.itemsize:
        raise UnreadableTensors(
            f"Tensor {name!r} has {len(data)} bytes for {datatype} of shape {shape}."
        )
    if dtype == "bool" and np.frombuffer(data, np.uint8).max(initial=0) > 1:
        raise UnreadableTensors(f"Tensor {name!r} has a bool that is neither 0 nor 1.")
    elements = np.frombuffer(data, kind).astype(np.dtype(dtype), copy=False)
    return np.require(elements, requirements="A").reshape(shape)


def to_raw(value: Array) -> bytes:
    """Give a tensor's raw bytes."""
    if value.dtype.kind in "OU":
        texts = [str(item).encode() for item in value.ravel()]
        return b"".join(len(text).to_bytes(4, "little") + text for text in texts)
    return np.ascontiguousarray(value, value.dtype.newbyteorder("<")).tobytes()


def shaped(texts: Sequence[str], shape: list[int]) -> Array:
    """Give texts as an array; their number fits `shape`."""
    array = np.empty(len(texts), dtype=object)
    array[:] = texts
    return array.reshape(shape)


def text_of(name: str, data: bytes) -> str:
    """Take an element of BYTES.

    Raises:
        UnreadableTensors: it is not UTF-8.
    """
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise UnreadableTensors(
            f"Tensor {name!r} has an element that is not UTF-8.",
            why="ONNX's strings are Unicode texts, so elements of BYTES must be.",
        ) from error


def _texts(name: str, data: bytes | memoryview, count: int) -> list[str]:
    whole = bytes(data)
    texts: list[str] = []
    place = 0
    while place < len(whole) and len(texts) < count:
        end = place + 4 + int.from_bytes(whole[place : place + 4], "little")
        if place + 4 > len(whole) or end > len(whole):
            break
        texts.append(text_of(name, whole[place + 4 : end]))
        place = end
    if place != len(whole) or len(texts) != count:
        raise UnreadableTensors(f"Tensor {name!r} is not {count} byte strings with their lengths.")
    return texts


def datatype_of_array(value: Array) -> str:
    """Give the protocol's name of an array's element type; raises as `datatype_of`."""
    return datatype_of(dtype_name(value))
