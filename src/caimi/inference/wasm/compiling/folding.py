"""Simplifications of a graph that do not change what it computes beyond the last bits."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, TensorProto, helper, numpy_helper

from caimi.errors.inference import ModelNotRunnable
from caimi.inference.wasm.compiling.fresh_names import FreshNames

_PLAIN_CONSTANTS: Final = {
    "value_float": np.float32,
    "value_floats": np.float32,
    "value_int": np.int64,
    "value_ints": np.int64,
}


def fold(model: ModelProto) -> ModelProto:
    """Make batch normalisations a product and a sum for each channel.

    Changed weights get new names, so that a name of the original still means the original's bytes.
    The model has inferred shapes, and its constants are initializers.

    Raises:
        ModelNotRunnable: what a normalisation multiplies with is infinite or no number.
    """
    folded = ModelProto()
    folded.CopyFrom(model)
    _Normalisations(folded).fold()
    return folded


def lift_constants(model: ModelProto) -> ModelProto:
    """Give a model whose constants are initializers."""
    lifted = ModelProto()
    lifted.CopyFrom(model)
    graph, kept = lifted.graph, []
    for node in graph.node:
        tensor = _constant(node) if node.op_type == "Constant" and not node.domain else None
        if tensor is None:
            kept.append(node)
        else:
            graph.initializer.add().CopyFrom(tensor)
            graph.initializer[-1].name = node.output[0]
    replace_nodes(graph, kept)
    return lifted


def _constant(node: Any) -> TensorProto | None:  # noqa: ANN401 - a protobuf message without types
    given = {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}
    value = given.get("value")
    if isinstance(value, TensorProto):
        return value
    for name, dtype in _PLAIN_CONSTANTS.items():
        if name in given:
            return numpy_helper.from_array(np.asarray(given[name], dtype))
    return None


def replace_nodes(graph: Any, nodes: list[Any]) -> None:  # noqa: ANN401 - protobuf, no types
    """Make `nodes`, some of which may be the graph's own, the graph's nodes."""
    copies = []
    for node in nodes:
        copy = type(node)()
        copy.CopyFrom(node)
        copies.append(copy)
    del graph.node[:]
    graph.node.extend(copies)


class _Normalisations:
    """Every BatchNormalization becomes Mul and Add (ONNX operator 15)."""

    def __init__(self, model: ModelProto) -> None:
        self._graph = model.graph
        self._names = FreshNames(model)
        self._constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self._ranks = {
            value.name: len(value.type.tensor_type.shape.dim)
            for value in (*model.graph.value_info, *model.graph.input, *model.graph.output)
        }
        self._uses: dict[str, int] = {}
        for node in model.graph.node:
            for name in node.input:
                self._uses[name] = self._uses.get(name, 0) + 1
        for value in model.graph.output:
            self._uses[value.name] = self._uses.get(value.name, 0) + 1

    def fold(self) -> None:
        nodes: list[Any] = []
        producers: dict[str, Any] = {}
        for node in self._graph.node:
            replaced = self._replaced(node, producers) if self._is_plain(node) else [node]
            nodes.extend(replaced)
            for new in replaced:
                producers.update(dict.fromkeys(new.output, new))
        replace_nodes(self._graph, nodes)

    def _is_plain(self, node: Any) -> bool:  # noqa: ANN401 - a protobuf message without types
        return (
            node.op_type == "BatchNormalization"
            and not node.domain
            and len([name for name in node.output if name]) == 1
            and not any(a.name == "training_mode" and a.i for a in node.attribute)
            and all(
                name in self._constants and self._constants[name].data_type == TensorProto.FLOAT
                for name in node.input[1:]
            )
            and self._ranks.get(node.input[0], 0) >= 2
        )

    def _replaced(self, node: Any, producers: dict[str, Any]) -> list[Any]:  # noqa: ANN401 - as above
        scale, shift, mean, variance = (self._values(name) for name in node.input[1:5])
        epsilon = next((a.f for a in node.attribute if a.name == "epsilon"), 1e-5)
        with np.errstate(all="ignore"):
            factor = scale / np.sqrt(variance + np.float64(np.float32(epsilon)))
            offset = shift - mean * factor
        source = producers.get(node.input[0])
        if source is not None and self._takes_bias(source):
            offset = offset + self._values(source.input[2]) * factor
            del source.input[2]
        rank = self._ranks[node.input[0]]
        shape = (-1, *[1] * (rank - 2))
        product, *names = (
            self._names.fresh(f"{node.output[0]}/{what}") for what in ("scaled", "factor", "offset")
        )
        for name, values in zip(names, (factor, offset), strict=True):
            with np.errstate(over="ignore"):
                rounded = values.astype(np.float32).reshape(shape)
            if not np.isfinite(rounded).all():
                raise ModelNotRunnable("BatchNormalization whose factors are not finite.")
            self._graph.initializer.append(numpy_helper.from_array(rounded, name))
        return [
            helper.make_node("Mul", [node.input[0], names[0]], [product]),
            helper.make_node("Add", [product, names[1]], [node.output[0]]),
        ]

    def _takes_bias(self, node: Any) -> bool:  # noqa: ANN401 - as above
        return (
            node.op_type == "Conv"
            and len(node.input) == 3
            and node.input[2] in self._constants
            and self._uses[node.output[0]] == 1
        )

    def _values(self, name: str) -> npt.NDArray[np.float64]:
        return np.asarray(numpy_helper.to_array(self._constants[name]), dtype=np.float64)
