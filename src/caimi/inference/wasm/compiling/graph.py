"""From an ONNX file to a graph that the code generator may see: checked, plain, with sizes fixed.

What the generator puts into C must not come from a stranger: every name is replaced by a number,
and texts for people are dropped, so that no name ends a comment or a string of the C code.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import ModelProto, TensorProto, helper, inliner, numpy_helper

from caimi.errors.inference import ModelNotRunnable, WrongInput
from caimi.errors.models import ManifestMalformed
from caimi.inference.wasm.compiling.initializers import initializer_ranges
from caimi.inference.wasm.compiling.opsets import raise_opset
from caimi.inference.wasm.compiling.rewrite import is_classical, rewrite
from caimi.inference.wasm.compiling.well_formed import check_well_formed
from caimi.inference.wasm.metadata import Weight
from caimi.models.onnx_file import declared_tensor, first_line
from caimi.models.tensor import Tensor

MAX_NODES: Final = 20_000
MAX_MODEL_BYTES: Final = 1 << 30
"""Of an ONNX file with the weights beside it: preparing a model holds some copies of them."""
DOMAINS: Final = frozenset({"", "ai.onnx", "ai.onnx.ml"})
_READABLE: Final = {
    TensorProto.FLOAT: 4,
    TensorProto.DOUBLE: 8,
    TensorProto.FLOAT16: 2,
}
_INLINE_BYTES: Final = 1024


@dataclass(frozen=True)
class Graph:
    """A graph whose names are numbers and whose inputs have sizes.

    `inputs` and `outputs` are the names and types of the original; `weights` says for each name in
    `model` that stands for stored weights where they lie. `int8` has, by the same names, weights
    that are stored as int8 in a file of their own. `names` gives all names of the original by those
    in `model`.
    """

    model: ModelProto
    inputs: tuple[Tensor, ...]
    outputs: tuple[tuple[str, str], ...]
    weights: Mapping[str, Weight]
    int8: Mapping[str, bytes] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class OpenedModel:
    """A checked model with all its weights loaded; `stored` says where those that are plain lie."""

    proto: ModelProto
    data: bytes
    stored: Mapping[str, Weight]
    file: str
    external: bool


def open_model(file: Path) -> OpenedModel:
    """Read an ONNX file, with the data beside it, check what it is made of, and rewrite what has no
    code of its own.

    Raises:
        ModelNotRunnable: it is no valid ONNX model, or has operators that are not ONNX's own,
            control flow, or data outside its directory.
    """
    try:
        _check_bytes(file.name, file.stat().st_size)
        data = file.read_bytes()
        model = onnx.load_model_from_string(data)
        external = sum(map(_stored_bytes, model.graph.initializer))
        _check_bytes(file.name, len(data) + external)
        onnx.checker.check_model(str(file))
        beside = {
            tensor.name: _external_range(tensor)
            for tensor in model.graph.initializer
            if tensor.data_location == TensorProto.EXTERNAL
        }
        if _has_external_attribute(model):
            raise ModelNotRunnable(f"{file.name}: an attribute's data lies in another file.")
        onnx.load_external_data_for_model(model, str(file.parent))
    except (OSError, ValueError, DecodeError, onnx.checker.ValidationError) as error:
        raise ModelNotRunnable(f"{file.name}: {first_line(error)}") from error
    check_well_formed(model)
    if model.functions:
        model = inliner.inline_local_functions(model)
    _check_nodes(file.name, model.graph)
    stored = initializer_ranges(data, file.name) | beside
    try:
        rewritten = rewrite(raise_opset(model))
    except onnx.shape_inference.InferenceError as error:
        raise ModelNotRunnable(f"{file.name}: {first_line(error)}") from error
    return OpenedModel(rewritten, data, stored, file.name, bool(beside))


def _check_bytes(name: str, size: int) -> None:
    if size > MAX_MODEL_BYTES:
        raise ModelNotRunnable(
            f"{name}: {size:,} bytes with its weights; the compiler takes up to "
            f"{MAX_MODEL_BYTES:,}. The engine onnx runs larger models."
        )


def _stored_bytes(tensor: TensorProto) -> int:
    """Give how many bytes of a tensor's data lie in another file, by its type and shape."""
    known = tensor.data_type in helper.get_all_tensor_dtypes()
    if tensor.data_location != TensorProto.EXTERNAL or not known:
        return 0
    return int(helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize * prod(tensor.dims))


def _has_external_attribute(model: ModelProto) -> bool:
    return any(
        attribute.t.data_location == TensorProto.EXTERNAL
        for node in model.graph.node
        for attribute in node.attribute
        if attribute.HasField("t")
    )


def _check_nodes(name: str, graph: Any) -> int:  # noqa: ANN401 - a protobuf message without types
    """Check a graph and those inside it, and count their operators."""
    count = len(graph.node)
    if graph.sparse_initializer:
        raise ModelNotRunnable(f"{name}: sparse weights are not supported.")
    for node in graph.node:
        kind = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
        if node.domain not in DOMAINS:
            raise ModelNotRunnable(f"{name}: the custom operator {kind[:80]!r}.")
        for attribute in node.attribute:
            if attribute.ref_attr_name:
                raise ModelNotRunnable(f"{name}: {kind[:80]!r}: an attribute of no function.")
            inner = [graph for graph in (attribute.g, *attribute.graphs) if graph.node]
            if inner and kind != "If":
                raise ModelNotRunnable(f"{name}: {kind[:80]!r}: control flow is not supported.")
            count += sum(_check_nodes(name, graph) for graph in inner)
    if count > MAX_NODES:
        raise ModelNotRunnable(f"{name}: {count} operators, over {MAX_NODES}.")
    return count


def check_settled(name: str, model: ModelProto) -> None:
    """Check that sizes have chosen all branches, and that these hold what may be compiled.

    Raises:
        ModelNotRunnable: a branch is left to a run, or has an operator that must be rewritten.
    """
    for node in model.graph.node:
        if any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute):
            raise ModelNotRunnable(
                f"{name}: {node.op_type!r} chooses by what a run computes; only branches that "
                "follow from the sizes of inputs are compiled."
            )
        if is_classical(node):
            raise ModelNotRunnable(f"{name}: {node.domain}.{node.op_type} inside a branch.")


def signature(model: ModelProto) -> tuple[Tensor, ...]:
    """Give the inputs as the model declares them.

    Raises:
        ModelNotRunnable: one of them is no tensor.
    """
    constants = {tensor.name for tensor in model.graph.initializer}
    return tuple(_tensor(value) for value in model.graph.input if value.name not in constants)


def signatures(model: ModelProto, name: str) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Give inputs and outputs as the model declares them; `name` is for errors.

    Raises:
        ModelNotRunnable: one of them is no tensor, or has a name or type that none may have.
    """
    try:
        return signature(model), tuple(_tensor(value) for value in model.graph.output)
    except ManifestMalformed as error:
        raise ModelNotRunnable(f"{name}: {error.what}") from error


def _tensor(value: Any) -> Tensor:  # noqa: ANN401 - a protobuf message without types
    if value.type.WhichOneof("value") != "tensor_type":
        raise ModelNotRunnable(f"{value.name[:80]!r} is no tensor.")
    return declared_tensor(value)


def fix_sizes(model: ModelProto, shapes: Mapping[str, tuple[int, ...]]) -> ModelProto:
    """Give every input the size in `shapes`, and infer those of everything else.

    Raises:
        WrongInput: an input lacks a size, or the sizes do not fit the model.
    """
    fixed = ModelProto()
    fixed.CopyFrom(model)
    constants = {tensor.name for tensor in fixed.graph.initializer}
    for value in fixed.graph.input:
        if value.name not in constants:
            if value.name not in shapes:
                raise WrongInput(f"Input {value.name[:80]!r} has no size.")
            _set_shape(value, shapes[value.name])
    del fixed.graph.value_info[:]
    for value in fixed.graph.output:
        tensor = value.type.tensor_type
        if any(not d.HasField("dim_value") or d.dim_value < 0 for d in tensor.shape.dim):
            tensor.ClearField("shape")
    try:
        return _inferred(fixed)
    except (onnx.shape_inference.InferenceError, ValueError, RuntimeError):
        # What exporters say of outputs is often wrong, and ONNX Runtime only warns of it.
        for value in fixed.graph.output:
            value.type.tensor_type.ClearField("shape")
    try:
        return _inferred(fixed)
    except (onnx.shape_inference.InferenceError, ValueError, RuntimeError) as error:
        first = str(error).strip().splitlines()[-1]
        raise WrongInput(f"The sizes do not fit the model: {first[:300]}") from error


def _inferred(model: ModelProto) -> ModelProto:
    return onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)


def _set_shape(value: Any, shape: Iterable[int]) -> None:  # noqa: ANN401 - as above
    tensor = value.type.tensor_type
    tensor.ClearField("shape")
    tensor.shape.SetInParent()
    for size in shape:
        tensor.shape.dim.add().dim_value = size


def detach_weights(
    model: ModelProto, opened: OpenedModel, int8: frozenset[str] = frozenset()
) -> Graph:
    """Number all names, drop texts, and turn large stored weights into inputs.

    `model` has sizes and may have been rewritten from `opened`; weights that are no longer what the
    file holds stay in the model, but for those in `int8`, whose values are whole numbers.
    """
    ranges = _unchanged(model, opened)
    names = _numbered(model)
    plain = ModelProto(ir_version=model.ir_version)
    for opset in model.opset_import:
        plain.opset_import.add(domain=opset.domain, version=opset.version)
    graph, source = plain.graph, model.graph
    graph.name = "model"
    inputs = signature(model)
    taken = {tensor.name for tensor in inputs}
    weights: dict[str, Weight] = {}
    whole: dict[str, bytes] = {}
    for value in source.input:
        if value.name in taken:
            _copy_value(graph.input, value, names)
    for initializer in source.initializer:
        if initializer.name in ranges or initializer.name in int8:
            name = names[initializer.name]
            if initializer.name in int8:
                whole[name] = numpy_helper.to_array(initializer).astype(np.int8).tobytes()
            else:
                weights[name] = ranges[initializer.name]
            graph.input.append(
                helper.make_tensor_value_info(name, initializer.data_type, list(initializer.dims))
            )
        else:
            kept = graph.initializer.add()
            kept.CopyFrom(initializer)
            kept.name, kept.doc_string = names[initializer.name], ""
    for value in source.value_info:
        if value.name in names:
            _copy_value(graph.value_info, value, names)
    _copy_nodes(graph, source, names)
    outputs = tuple((value.name, name) for value, name in _outlets(graph, source, names))
    original = {number: name for name, number in names.items()}
    return Graph(plain, inputs, outputs, weights, whole, original)


def _outlets(graph: Any, source: Any, names: Mapping[str, str]) -> Iterator[tuple[Any, str]]:  # noqa: ANN401
    """Give each output's name by number; what no operator writes, or another output is, is copied.

    An output has a place of its own in memory, which its operator writes.
    """
    free = {name for node in source.node for name in node.output}
    for place, value in enumerate(source.output):
        name = names[value.name]
        if value.name in free:
            free.remove(value.name)
        else:
            copied, name = name, f"o{place}"
            graph.node.append(helper.make_node("Identity", [copied], [name], name=f"c{place}"))
        _copy_value(graph.output, value, {value.name: name})
        yield value, name


def _copy_nodes(graph: Any, source: Any, names: Mapping[str, str]) -> None:  # noqa: ANN401
    for place, node in enumerate(source.node):
        copy = graph.node.add()
        copy.CopyFrom(node)
        copy.name, copy.doc_string = f"n{place}", ""
        copy.input[:] = [names[name] if name else "" for name in node.input]
        copy.output[:] = [names[name] if name else "" for name in node.output]
        del copy.metadata_props[:]
        for attribute in copy.attribute:
            attribute.doc_string = ""
            if attribute.HasField("t"):
                attribute.t.name = attribute.t.doc_string = ""


def _unchanged(model: ModelProto, opened: OpenedModel) -> dict[str, Weight]:
    """Name the initializers worth reading at run time that the file still holds as they are."""
    found = {}
    for tensor in model.graph.initializer:
        size = prod(tensor.dims) * _READABLE.get(tensor.data_type, 0)
        place = opened.stored.get(tensor.name)
        if size < _INLINE_BYTES or place is None:
            continue
        there = place if place.size else Weight(place.file, place.offset, size)
        if there.size == size and _is_same(tensor, opened, there):
            found[tensor.name] = there
    return found


def _external_range(tensor: TensorProto) -> Weight:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    offset, size = int(entries.get("offset", 0)), int(entries.get("length", 0))
    return Weight(entries["location"], offset, size)


def _is_same(tensor: TensorProto, opened: OpenedModel, there: Weight) -> bool:
    if there.file != opened.file:
        return True
    part = opened.data[there.offset : there.offset + there.size]
    return bool(tensor.raw_data == part or numpy_helper.to_array(tensor).tobytes() == part)


def _numbered(model: ModelProto) -> dict[str, str]:
    graph = model.graph
    names: dict[str, str] = {}
    every = [
        *(value.name for value in graph.input),
        *(tensor.name for tensor in graph.initializer),
        *(name for node in graph.node for name in (*node.input, *node.output)),
        *(value.name for value in graph.output),
    ]
    for name in every:
        if name and name not in names:
            names[name] = f"t{len(names)}"
    return names


def _copy_value(target: Any, value: Any, names: Mapping[str, str]) -> None:  # noqa: ANN401
    copy = target.add()
    copy.CopyFrom(value)
    copy.name, copy.doc_string = names[value.name], ""
    del copy.metadata_props[:]
