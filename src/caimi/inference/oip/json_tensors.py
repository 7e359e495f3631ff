"""Tensors as entries of a message's JSON: their elements in lists, or as bytes after the JSON."""

from __future__ import annotations

from typing import Final

import numpy as np

from caimi.errors.inference import UnreadableTensors
from caimi.inference.oip.datatypes import (
    TEXT,
    checked_names,
    checked_shape,
    datatype_of_array,
    dtype_of,
    from_raw,
    shaped,
)
from caimi.inference.oip.json_fields import fields_of, object_field, text_field, unicode_text
from caimi.inference.oip.messages import checked_parameters
from caimi.inference.tensors import MAX_TENSORS, Array

MAX_JSON_ELEMENTS: Final = 1 << 20
_BINARY_SIZE: Final = "binary_data_size"
_TYPES: Final[dict[str, set[type]]] = {
    "b": {bool},
    "i": {int},
    "u": {int},
    "f": {int, float},
    "O": {str},
}


def decode_tensors(entries: object, rest: memoryview) -> dict[str, Array]:
    """Take tensors' entries; `rest` are the bytes after the JSON, all of which they must use.

    Raises:
        UnreadableTensors: they are not of the protocol's form.
    """
    if not isinstance(entries, list) or len(entries) > MAX_TENSORS:
        raise UnreadableTensors(f"Tensors are a list of at most {MAX_TENSORS}.")
    tensors: dict[str, Array] = {}
    names = []
    for entry in entries:
        fields = fields_of(entry, "A tensor", ("name", "shape", "datatype"), ("parameters", "data"))
        name, datatype = (
            text_field(fields["name"], "name"),
            text_field(fields["datatype"], "datatype"),
        )
        sizes = fields["shape"]
        if not isinstance(sizes, list):
            raise UnreadableTensors(f"Tensor {name!r} has no shape.")
        shape = checked_shape(name, sizes)
        parameters = checked_parameters(object_field(fields, "parameters"), f"Tensor {name!r}")
        size = parameters.get(_BINARY_SIZE)
        if (size is None) == ("data" not in fields):
            raise UnreadableTensors(f"Tensor {name!r} has neither data nor bytes, or both.")
        if size is None:
            tensors[name] = _from_lists(name, datatype, shape, fields["data"])
        elif type(size) is not int or not 0 <= size <= len(rest):
            raise UnreadableTensors(f"Tensor {name!r} claims {size!r} of {len(rest)} bytes.")
        else:
            tensors[name] = from_raw(name, datatype, shape, rest[:size])
            rest = rest[size:]
        names.append(name)
    checked_names(names)
    if len(rest):
        raise UnreadableTensors(f"After the tensors' bytes there are {len(rest)} more.")
    return tensors


def _from_lists(name: str, datatype: str, shape: list[int], data: object) -> Array:
    dtype = dtype_of(datatype)
    if dtype == "float16":
        raise UnreadableTensors(f"Tensor {name!r} of FP16 can only be sent as bytes.")
    elements = _flat(name, shape, data)
    kind = "O" if datatype == TEXT else np.dtype(dtype).kind
    if any(type(element) not in _TYPES[kind] for element in elements):
        raise UnreadableTensors(f"Tensor {name!r} has an element that is none of {datatype}.")
    if datatype == TEXT:
        return shaped([unicode_text(name, text) for text in elements], shape)
    try:
        values = np.array(elements, dtype=np.float64 if kind == "f" else dtype)
        with np.errstate(over="ignore"):
            fits = kind != "f" or bool(np.isfinite(values.astype(dtype)).all())
    except (OverflowError, ValueError) as error:
        raise UnreadableTensors(f"Tensor {name!r} has a number beyond {datatype}.") from error
    if not fits:
        raise UnreadableTensors(f"Tensor {name!r} has a number beyond {datatype}.")
    return values.astype(dtype, copy=False).reshape(shape)


def _flat(name: str, shape: list[int], data: object) -> list[object]:
    """Take elements in one list, or in lists nested as the shape says."""
    if not isinstance(data, list):
        raise UnreadableTensors(f"Tensor {name!r} has data that is no list.")
    elements: list[object] = data
    if len(shape) > 1 and any(isinstance(each, list) for each in data):
        rows: list[object] = [data]
        for size in shape:
            if not all(isinstance(row, list) and len(row) == size for row in rows):
                raise UnreadableTensors(f"Tensor {name!r} has lists that are not of shape {shape}.")
            rows = [each for row in rows if isinstance(row, list) for each in row]
        elements = rows
    count = 1
    for size in shape:
        count *= size
    if len(elements) != count:
        raise UnreadableTensors(f"Tensor {name!r} has {len(elements)} elements for shape {shape}.")
    return elements


def listed(name: str, value: Array) -> list[object]:
    """Give a tensor's elements in one list.

    Raises:
        UnreadableTensors: JSON does not have them, or they are too many for it.
    """
    if value.size > MAX_JSON_ELEMENTS or value.dtype == np.float16:
        raise UnreadableTensors(
            f"Output {name!r} ({value.dtype.name}, {value.size} elements) cannot be sent as JSON.",
            why=f"JSON carries at most {MAX_JSON_ELEMENTS} elements, and none of FP16.",
            next_step="Ask for it as bytes: binary_data_output, or binary_data of that output.",
        )
    if value.dtype.kind == "f" and not np.isfinite(value).all():
        raise UnreadableTensors(
            f"Output {name!r} has NaN or infinity, which JSON has not.",
            next_step="Ask for it as bytes: binary_data_output, or binary_data of that output.",
        )
    listed: list[object] = value.ravel().tolist()
    return listed


def entry_of(name: str, value: Array) -> dict[str, object]:
    """Give a tensor's entry without its elements."""
    return {"name": name, "datatype": datatype_of_array(value), "shape": list(value.shape)}


def binary_entry(name: str, value: Array, size: int) -> dict[str, object]:
    """Give the entry of a tensor whose `size` bytes come after the JSON."""
    return entry_of(name, value) | {"parameters": {_BINARY_SIZE: size}}
