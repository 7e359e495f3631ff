"""C text of the arguments that generated code passes to kernels: constants, nothing computed."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable
from typing import TypeAlias

Argument: TypeAlias = int | tuple[int, ...]


def call(function: str, *arguments: str | int | float) -> str:
    """One call as a statement; floats are written exactly, as float32."""
    return f"{function}({', '.join(map(_argument, arguments))});"


def _argument(value: str | int | float) -> str:
    return float_text(value) if isinstance(value, float) else str(value)


def float_text(value: float) -> str:
    """The float32 nearest to `value`, in hexadecimal."""
    try:
        rounded = struct.unpack("<f", struct.pack("<f", value))[0]
    except OverflowError:
        rounded = math.copysign(math.inf, value)
    if math.isnan(rounded):
        return '__builtin_nanf("")'
    if math.isinf(rounded):
        return "__builtin_inff()" if rounded > 0 else "-__builtin_inff()"
    return f"{rounded.hex()}f"


def struct_text(name: str, *fields: Argument) -> str:
    """The address of a constant structure; a tuple is an array."""
    return f"&(const {name}){{{', '.join(map(_field, fields))}}}"


def _field(value: Argument) -> str:
    return str(value) if isinstance(value, int) else f"{{{', '.join(map(str, value))}}}"


def floats_from(name: str | None, offset: int = 0) -> str:
    """A tensor to be read as float32; None is a null pointer."""
    return _pointer("const float *", name, offset)


def floats_to(name: str | None, offset: int = 0) -> str:
    """A float32 tensor to be written."""
    return _pointer("float *", name, offset)


def words_from(name: str, offset: int = 0) -> str:
    """A tensor of four-byte elements to be read."""
    return _pointer("const int32_t *", name, offset)


def words_to(name: str, offset: int = 0) -> str:
    """A tensor of four-byte elements to be written."""
    return _pointer("int32_t *", name, offset)


def _pointer(pointer: str, name: str | None, offset: int) -> str:
    if name is None:
        return f"({pointer})0"
    return f"({pointer}){name}" + (f" + {offset}" if offset else "")


def lines(statements: Iterable[str]) -> str:
    """Several statements, one below the other."""
    return "\n".join(statements)
