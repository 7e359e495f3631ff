"""What of a graph is settled once the sizes of its inputs are: shapes, sizes, branches.

Exporters compute shapes, axes and paddings by operators, and choose between branches by them. One
walk in the graph's order infers each operator's types from those of its inputs and, where they are
known, from their values, takes what is exact on constants (`exact.py`) for a constant, and puts the
chosen branch in an If's place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any, Final

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, TypeProto, helper, numpy_helper

from caimi.inference.tensors import Array
from caimi.inference.wasm.compiling.exact import MAX_FLOATS, MAX_WHOLE, evaluate, fits, is_exact
from caimi.inference.wasm.compiling.plain_forms import Known, plain_form

_NOT_INFERRED: Final = (
    KeyError,
    onnx.checker.ValidationError,
    onnx.defs.SchemaError,
    onnx.shape_inference.InferenceError,
)
_SHAPES: Final = frozenset({"Shape", "Size"})


def settle(model: ModelProto) -> ModelProto:
    """Give an equal model of what is left to compute; `model`'s inputs have sizes.

    Names of what stays are as they were.
    """
    walk = _Walk(model)
    walk.go_through(model.graph.node, {})
    settled = ModelProto()
    settled.CopyFrom(model)
    graph = settled.graph
    needed, nodes = _needed(walk.nodes, {value.name for value in model.graph.output})
    del graph.node[:]
    graph.node.extend(nodes)
    del graph.initializer[:]
    stored = {tensor.name for tensor in model.graph.initializer}
    inner = (tensor for tensor in walk.inner if tensor.name in needed)
    graph.initializer.extend((*model.graph.initializer, *inner))
    graph.initializer.extend(
        numpy_helper.from_array(value, name)
        for name, value in walk.made.items()
        if name in needed and name not in stored
    )
    given = {value.name for value in (*graph.input, *graph.output)}
    kept = {name for node in nodes for name in node.output if name} - given
    del graph.value_info[:]
    for name in sorted(kept & walk.types.keys()):
        graph.value_info.add(name=name).type.CopyFrom(walk.types[name])
    for value in graph.output:
        found = walk.types.get(value.name)
        if found is not None and _shape(found) is not None:
            value.type.CopyFrom(found)
    return settled


def _needed(nodes: list[NodeProto], outputs: set[str]) -> tuple[set[str], list[NodeProto]]:
    """Leave out operators whose outputs nobody reads."""
    needed, kept = set(outputs), []
    for node in reversed(nodes):
        if needed.intersection(node.output):
            needed.update(node.input)
            needed.update(_captured(node))
            kept.append(node)
    return needed, kept[::-1]


def _captured(node: NodeProto) -> Iterable[str]:
    """Name what the graphs inside an operator read."""
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                yield from inner.input
                yield from _captured(inner)
            yield from (value.name for value in graph.output)


def _shape(kind: TypeProto) -> tuple[int, ...] | None:
    """Give a type's shape, None where it is open."""
    tensor = kind.tensor_type
    if kind.WhichOneof("value") != "tensor_type" or not tensor.HasField("shape"):
        return None
    if not all(size.HasField("dim_value") and size.dim_value >= 0 for size in tensor.shape.dim):
        return None
    return tuple(size.dim_value for size in tensor.shape.dim)


def _most(kind: TypeProto) -> int:
    floats = {TensorProto.FLOAT, TensorProto.DOUBLE}
    return MAX_FLOATS if kind.tensor_type.elem_type in floats else MAX_WHOLE


@dataclass
class _Walk:
    """The walk; `made` has the values found, `nodes` what stays, `inner` weights of branches."""

    model: ModelProto
    types: dict[str, TypeProto] = field(default_factory=dict)
    values: dict[str, Array] = field(default_factory=dict)
    made: dict[str, Array] = field(default_factory=dict)
    nodes: list[NodeProto] = field(default_factory=list)
    inner: list[TensorProto] = field(default_factory=list)

    def __post_init__(self) -> None:
        graph = self.model.graph
        self._opsets = {entry.domain: entry.version for entry in self.model.opset_import}
        self._told = {value.name: value.type for value in (*graph.value_info, *graph.output)}
        self._outputs = {value.name for value in graph.output}
        self._taken = {value.name for value in graph.input} | _all_names(graph)
        for value in graph.input:
            self.types[value.name] = value.type
        for tensor in graph.initializer:
            self._store(tensor)

    def _store(self, tensor: TensorProto) -> None:
        kind = helper.make_tensor_type_proto(tensor.data_type, list(tensor.dims))
        self.types[tensor.name] = kind
        if prod(tensor.dims) <= _most(kind) and tensor.data_type != TensorProto.STRING:
            value = numpy_helper.to_array(tensor)
            if fits(value):
                self.values[tensor.name] = value

    def go_through(self, nodes: Iterable[NodeProto], names: Mapping[str, str]) -> None:
        """Take operators in order; `names` gives those of a branch their names in the graph."""
        for original in nodes:
            node = original
            if names:
                node = NodeProto()
                node.CopyFrom(original)
                node.input[:] = [names.get(name, name) for name in original.input]
                node.output[:] = [names.get(name, name) for name in original.output]
            chosen = self._chosen(node)
            if chosen is not None:
                self._put(node, chosen, names)
                continue
            self._infer(node)
            found = self._value(node)
            if found is None:
                self._keep(node)
                continue
            for name, value in found.items():
                self.values[name] = value
                self.types[name] = helper.make_tensor_type_proto(
                    helper.np_dtype_to_tensor_dtype(value.dtype), value.shape
                )
            if self._outputs.intersection(found):
                self.nodes.append(node)
            else:
                self.made.update(found)

    def _keep(self, node: NodeProto) -> None:
        known = Known(self.values, self._shape, self._fresh, self._constant_named)
        nodes = plain_form(node, known)
        for made in nodes if len(nodes) > 1 else ():
            self._infer(made)
        self.nodes += nodes

    def _shape(self, name: str) -> tuple[int, ...] | None:
        return _shape(self.types.get(name, TypeProto()))

    def _constant_named(self, base: str, value: Array) -> str:
        name = self._fresh(base)
        tensor = numpy_helper.from_array(value, name)
        self._store(tensor)
        self.inner.append(tensor)
        return name

    def _chosen(self, node: NodeProto) -> Any:  # noqa: ANN401 - a protobuf message without types
        """Give the branch that an If takes, if that is settled."""
        if node.op_type != "If" or node.domain or node.input[0] not in self.values:
            return None
        wanted = "then_branch" if self.values[node.input[0]].all() else "else_branch"
        return next((a.g for a in node.attribute if a.name == wanted), None)

    def _put(self, node: NodeProto, branch: Any, names: Mapping[str, str]) -> None:  # noqa: ANN401
        inner = dict(names)
        for tensor in branch.initializer:
            inner[tensor.name] = self._fresh(tensor.name)
            copy = TensorProto()
            copy.CopyFrom(tensor)
            copy.name = inner[tensor.name]
            self.inner.append(copy)
            self._store(copy)
        for each in branch.node:
            inner.update((name, self._fresh(name)) for name in each.output if name)
        for value in branch.value_info:
            if value.name in inner:
                self._told[inner[value.name]] = value.type
        self.go_through(branch.node, inner)
        for value, name in zip(branch.output, node.output, strict=True):
            source = inner.get(value.name, value.name)
            self.go_through([helper.make_node("Identity", [source], [name])], {})

    def _fresh(self, name: str) -> str:
        place = 0
        while (free := f"{name}.{place}") in self._taken:
            place += 1
        self._taken.add(free)
        return free

    def _infer(self, node: NodeProto) -> None:
        """Tell the types of an operator's outputs, as far as they can be told."""
        told = {name: self._told[name] for name in node.output if name in self._told}
        try:
            schema = onnx.defs.get_schema(
                node.op_type, self._opsets.get(node.domain, 1), node.domain
            )
            found = onnx.shape_inference.infer_node_outputs(
                schema,
                node,
                {name: self.types[name] for name in node.input if name},
                {
                    name: numpy_helper.from_array(self.values[name], name)
                    for name in node.input
                    if name in self.values
                },
                opset_imports=list(self.model.opset_import),
            )
        except _NOT_INFERRED:
            found = {}
        for name in node.output:
            best = found.get(name)
            if best is None or (_shape(best) is None and name in told):
                best = told.get(name, best)
            if name and best is not None:
                self.types[name] = best

    def _value(self, node: NodeProto) -> dict[str, Array] | None:
        """Give the outputs of an operator that needs no run, by name."""
        if node.op_type in _SHAPES and not node.domain:
            shape = self._shape(node.input[0])
            return None if shape is None else {node.output[0]: _told_shape(node, shape)}
        if node.op_type == "Constant" and not node.domain:
            return self._constant(node)
        if not is_exact(node) or not all(name in self.values for name in node.input if name):
            return None
        outputs = [name for name in node.output if name]
        if node.op_type != "NonZero" and not all(self._is_small(name) for name in outputs):
            return None
        given = {name: self.values[name] for name in node.input if name}
        found = evaluate(node, given, self.model.opset_import)
        return None if found is None else dict(zip(outputs, found, strict=True))

    def _is_small(self, name: str) -> bool:
        shape = self._shape(name)
        return shape is not None and prod(shape) <= _most(self.types[name])

    def _constant(self, node: NodeProto) -> dict[str, Array] | None:
        """Read a small constant in whichever of its forms it is stated."""
        if len(node.attribute) != 1 or node.attribute[0].name in ("sparse_value", "value_string"):
            return None
        attribute = node.attribute[0]
        if attribute.name == "value":
            if prod(attribute.t.dims) > MAX_WHOLE or attribute.t.data_type == TensorProto.STRING:
                return None
            value = numpy_helper.to_array(attribute.t)
        elif attribute.name in ("value_float", "value_floats"):
            value = np.asarray(helper.get_attribute_value(attribute), np.float32)
        elif attribute.name in ("value_int", "value_ints"):
            value = np.asarray(helper.get_attribute_value(attribute), np.int64)
        else:
            return None
        return {node.output[0]: value} if fits(value) else None


def _told_shape(node: NodeProto, shape: tuple[int, ...]) -> Array:
    if node.op_type == "Size":
        return np.asarray(prod(shape), np.int64)
    bounds = {a.name: a.i for a in node.attribute}
    return np.asarray(shape[bounds.get("start", 0) : bounds.get("end", len(shape))], np.int64)


def _all_names(graph: Any) -> set[str]:  # noqa: ANN401 - a protobuf message without types
    names = {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        names.update((*node.input, *node.output))
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                names |= _all_names(inner)
    return names
