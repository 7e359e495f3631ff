"""Tensors in JSON, exactly: dtype, shape, and the elements' little-endian bytes in base64."""

from __future__ import annotations

import base64
from math import prod
from typing import Final

import numpy as np

from caimi.errors.inference import UnreadableTensors
from caimi.inference.tensors import MAX_TENSORS, Array, Tensors
from caimi.models.tensor import MAX_NAME, MAX_RANK

_DTYPES: Final = frozenset(
    f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)
) | {"bool", "float16", "float32", "float64"}


def shapes_from_json(document: object) -> dict[str, tuple[int, ...]]:
    """Take shapes by the name of their tensor, strictly.

    Raises:
        UnreadableTensors: it is anything else.
    """
    if not isinstance(document, dict) or len(document) > MAX_TENSORS:
        raise UnreadableTensors("Shapes are an object of bounded size.")
    shapes = {}
    for name, shape in document.items():
        if not 1 <= len(name) <= MAX_NAME or not _is_unicode(name):
            raise UnreadableTensors(f"A tensor's name is 1 to {MAX_NAME} characters of Unicode.")
        if (
            not isinstance(shape, list)
            or len(shape) > MAX_RANK
            or not all(type(size) is int and 0 <= size < 1 << 31 for size in shape)
        ):
            raise UnreadableTensors(f"{name!r} has no shape.")
        shapes[name] = tuple(shape)
    return shapes


def tensors_to_json(tensors: Tensors) -> dict[str, object]:
    """Give the JSON form. String tensors are given as lists.

    Raises:
        UnreadableTensors: an element type that the form does not have.
    """
    return {name: _to_json(name, value) for name, value in tensors.items()}


def _to_json(name: str, value: Array) -> dict[str, object]:
    if value.dtype.kind in "OU":
        texts = [str(item) for item in value.ravel()]
        return {"dtype": "string", "shape": list(value.shape), "data": texts}
    if value.dtype.name not in _DTYPES:
        raise UnreadableTensors(f"Tensor {name!r} of {value.dtype.name} cannot be sent.")
    data = np.ascontiguousarray(value, dtype=value.dtype.newbyteorder("<")).tobytes()
    return {
        "dtype": value.dtype.name,
        "shape": list(value.shape),
        "data": base64.b64encode(data).decode(),
    }


def tensors_from_json(document: object) -> dict[str, Array]:
    """Take the JSON form, strictly.

    Raises:
        UnreadableTensors: it is anything else, or data and shape do not fit.
    """
    if not isinstance(document, dict) or len(document) > MAX_TENSORS:
        raise UnreadableTensors("Tensors are an object of bounded size.")
    for name in document:
        if not 1 <= len(name) <= MAX_NAME or not _is_unicode(name):
            raise UnreadableTensors(f"A tensor's name is 1 to {MAX_NAME} characters of Unicode.")
    return {name: _from_json(name, value) for name, value in document.items()}


def _from_json(name: str, document: object) -> Array:
    match document:
        case {"dtype": str(dtype), "shape": list(shape), "data": data, **rest} if (
            not rest
            and len(shape) <= MAX_RANK
            and all(type(size) is int and 0 <= size < 1 << 40 for size in shape)
        ):
            pass
        case _:
            raise UnreadableTensors(f"Tensor {name!r} does not have dtype, shape and data.")
    if dtype == "string" and isinstance(data, list):
        return _texts(name, data, shape)
    if dtype not in _DTYPES or not isinstance(data, str):
        raise UnreadableTensors(f"Tensor {name!r} has type {dtype[:20]!r} or no base64 data.")
    try:
        raw = base64.b64decode(data, validate=True)
    except ValueError as error:  # binascii.Error is one; so is the error for other than ASCII
        raise UnreadableTensors(f"Tensor {name!r} is not in base64.") from error
    kind = np.dtype(dtype).newbyteorder("<")
    if len(raw) != prod(shape) * kind.itemsize:
        raise UnreadableTensors(f"Tensor {name!r} has {len(raw)} bytes for shape {shape}.")
    if dtype == "bool" and raw.strip(b"\0\1"):
        raise UnreadableTensors(f"Tensor {name!r} has a bool that is neither 0 nor 1.")
    return _shaped(name, np.frombuffer(raw, dtype=kind).astype(np.dtype(dtype)), shape)


def _texts(name: str, data: list[object], shape: list[int]) -> Array:
    if len(data) != prod(shape) or not all(isinstance(t, str) and _is_unicode(t) for t in data):
        raise UnreadableTensors(f"Tensor {name!r} is not {prod(shape)} texts of Unicode.")
    return _shaped(name, np.array(data, dtype=object), shape)


def _shaped(name: str, flat: Array, shape: list[int]) -> Array:
    try:
        return flat.reshape(shape)
    except (ValueError, OverflowError) as error:
        raise UnreadableTensors(f"Tensor {name!r} has the impossible shape {shape}.") from error


def _is_unicode(text: str) -> bool:
    """Whether there is no half of a surrogate pair in it, which JSON can say and UTF-8 cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
