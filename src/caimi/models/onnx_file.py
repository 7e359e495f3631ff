"""ONNX files: checked by ONNX's own checker, their signature read, their weights looked at."""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import TensorProto

from caimi.errors.models import InvalidModel, ManifestMalformed, UnsafePath
from caimi.models.files import PackageFile
from caimi.models.paths import check_path
from caimi.models.tensor import UNKNOWN, Tensor, open_dimension
from caimi.models.weights import NonFinite, non_finite
from caimi.storage.cid import Octets

_DTYPES: Final[Mapping[int, str]] = {
    number: {"float": "float32", "double": "float64"}.get(name.lower(), name.lower())
    for name, number in TensorProto.DataType.items()
    if name != "UNDEFINED"
}
_CONTAINERS: Final = {
    "sequence_type": "sequence",
    "map_type": "map",
    "optional_type": "optional",
    "sparse_tensor_type": "sparse",
}


@dataclass(frozen=True, slots=True)
class OnnxFindings:
    """What an ONNX file says of itself."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    non_finite: tuple[NonFinite, ...]


def check_onnx(file: PackageFile, beside: Mapping[str, PackageFile]) -> OnnxFindings:
    """Check an ONNX file of a package; `beside` holds all of the package's files by path.

    Raises:
        InvalidModel: ONNX's checker refuses it, or data that it refers to is missing or too short.
        UnsafePath: it refers to data outside the package.
        SourceChanged: a file is gone or has changed.
    """
    with file.open() as raw:
        data = raw.read()
    try:
        model = onnx.load_model_from_string(data)
    except (DecodeError, ValueError) as error:
        raise InvalidModel(f"{file.path!r} is no ONNX model: {error}") from error
    outside = [_external(file, tensor, beside) for tensor in external_tensors(model.graph)]
    try:
        if outside and isinstance(file.content, Path):
            onnx.checker.check_model(str(file.content))
        else:
            onnx.checker.check_model(data)
    except (onnx.checker.ValidationError, ValueError, OSError) as error:
        raise InvalidModel(f"{file.path!r} fails ONNX's checks: {first_line(error)}") from error
    try:
        found = tuple(non_finite(_weights(file, model.graph, beside)))
    except (ValueError, TypeError) as error:
        # ONNX's checker takes more values than a shape has.
        raise InvalidModel(f"{file.path!r} has weights that do not fit: {error}") from error
    constants = {tensor.name for tensor in model.graph.initializer}
    return OnnxFindings(
        inputs=_signature(file, (i for i in model.graph.input if i.name not in constants)),
        outputs=_signature(file, model.graph.output),
        non_finite=found,
    )


def first_line(error: Exception) -> str:
    """Give what an error of the ONNX library says first, at most 300 characters."""
    return (str(error).strip() or "no reason given").splitlines()[0][:300]


def _signature(file: PackageFile, values: Iterable[Any]) -> tuple[Tensor, ...]:
    try:
        return tuple(declared_tensor(value) for value in values)
    except ManifestMalformed as error:
        raise InvalidModel(f"{file.path!r}: {error.what}") from error


def declared_tensor(value: Any) -> Tensor:  # noqa: ANN401 - a protobuf message without types
    """Give an input or output as its ValueInfoProto declares it; raises `ManifestMalformed`."""
    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        return Tensor(value.name, _CONTAINERS.get(kind, "optional"), None)
    tensor = value.type.tensor_type
    shape = None
    if tensor.HasField("shape"):
        shape = tuple(_dimension(size) for size in tensor.shape.dim)
    return Tensor(value.name, _DTYPES.get(tensor.elem_type, "undefined"), shape)


def _dimension(size: Any) -> int | str:  # noqa: ANN401 - a protobuf message without types
    """Give a size, or the symbol of an open one; some exporters write -1 for a size left open."""
    if size.WhichOneof("value") == "dim_value":
        return int(size.dim_value) if size.dim_value >= 0 else UNKNOWN
    return open_dimension(str(size.dim_param))


def _all_tensors(graph: Any) -> Iterator[Any]:  # noqa: ANN401 - a protobuf message without types
    """Go through the weights of a graph and of the graphs and tensors inside its nodes."""
    pending = [graph]
    while pending:
        current = pending.pop()
        yield from current.initializer
        for node in current.node:
            for attribute in node.attribute:
                if attribute.HasField("t"):
                    yield attribute.t
                yield from attribute.tensors
                if attribute.HasField("g"):
                    pending.append(attribute.g)
                pending.extend(attribute.graphs)


@dataclass(frozen=True, slots=True)
class _Span:
    file: PackageFile
    start: int
    length: int


def _external(file: PackageFile, tensor: Any, beside: Mapping[str, PackageFile]) -> _Span:  # noqa: ANN401 - as above
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    name = str(tensor.name)[:80]
    try:
        check_path(location)
        path = check_path(str(Path(file.path).parent / location))
    except UnsafePath as error:
        raise UnsafePath(f"The weights {name!r} lie outside the package: {error.what}") from error
    if path not in beside:
        raise InvalidModel(f"The weights {name!r} are in {path[:80]!r}, which the package lacks.")
    target = beside[path]
    try:
        start = int(entries.get("offset", 0))
        length = int(entries.get("length", target.size - start))
    except ValueError as error:
        raise InvalidModel(f"The weights {name!r} have no numbers as offset and length.") from error
    if start < 0 or length < 0 or start + length > target.size:
        raise InvalidModel(f"The weights {name!r} reach past the end of {path[:80]!r}.")
    return _Span(target, start, length)


def external_tensors(graph: Any) -> Iterator[Any]:  # noqa: ANN401 - as above
    """Give the tensors of a graph whose data lie in files of their own."""
    return (t for t in _all_tensors(graph) if t.data_location == TensorProto.EXTERNAL)


def _weights(
    file: PackageFile,
    graph: Any,  # noqa: ANN401 - as above
    beside: Mapping[str, PackageFile],
) -> Iterator[tuple[str, str, Octets]]:
    for tensor in _all_tensors(graph):
        dtype = _DTYPES.get(tensor.data_type, "undefined")
        if tensor.data_location == TensorProto.EXTERNAL:
            yield from _mapped(str(tensor.name), dtype, _external(file, tensor, beside))
        elif tensor.raw_data:
            yield str(tensor.name), dtype, tensor.raw_data
        elif dtype in {"float32", "float64"}:
            values = onnx.numpy_helper.to_array(tensor)
            yield str(tensor.name), dtype, values.astype(f"<f{values.itemsize}").tobytes()


def _mapped(name: str, dtype: str, span: _Span) -> Iterator[tuple[str, str, Octets]]:
    if not span.length:
        return
    with span.file.open() as raw:
        if isinstance(span.file.content, bytes):
            yield name, dtype, span.file.content[span.start : span.start + span.length]
            return
        with (
            mmap.mmap(raw.fileno(), 0, access=mmap.ACCESS_READ) as data,
            memoryview(data) as view,
            view[span.start : span.start + span.length] as part,
        ):
            yield name, dtype, part
