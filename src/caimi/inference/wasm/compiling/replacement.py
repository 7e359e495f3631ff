"""One operator of a graph, and the operators that take its place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper

from caimi.errors.inference import ModelNotRunnable
from caimi.inference.tensors import Array

ML_DOMAIN: Final = "ai.onnx.ml"


class Replacement:
    """The nodes and weights that replace `node`; its outputs keep their names."""

    def __init__(self, node: NodeProto, graph: GraphProto, prefix: str) -> None:
        self.node = node
        self.nodes: list[NodeProto] = []
        self.weights: list[TensorProto] = []
        self._graph = graph
        self._prefix = prefix
        self._attributes = {entry.name: entry for entry in node.attribute}

    def op(
        self, kind: str, *inputs: str, output: str | None = None, **attributes: float | list[int]
    ) -> str:
        """Add an operator of one output, by default of a new name, and give its name."""
        name = output or f"{self._prefix}.{len(self.nodes)}"
        self.nodes.append(node := helper.make_node(kind, inputs, [name]))
        node.attribute.extend(helper.make_attribute(*each) for each in sorted(attributes.items()))
        return name

    def weight(self, values: npt.ArrayLike, dtype: str = "float32") -> str:
        """Add a constant and give its name."""
        name = f"{self._prefix}.w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def numbers(self, name: str) -> list[Any]:
        """Give an attribute that is a list of numbers; empty when it is missing."""
        if name not in self._attributes:
            return []
        value = helper.get_attribute_value(self._attributes[name])
        return list(value) if isinstance(value, Sequence) else [value]

    def number(self, name: str, otherwise: float) -> float:
        """Give an attribute that is one number."""
        return float((self.numbers(name) or [otherwise])[0])

    def texts(self, name: str) -> list[str]:
        """Give an attribute that is a list of texts; empty when it is missing."""
        return [value.decode() for value in self.numbers(name)]

    def text(self, name: str, otherwise: str) -> str:
        """Give an attribute that is one text."""
        if name not in self._attributes:
            return otherwise
        return str(self._attributes[name].s.decode())

    def shape(self, name: str) -> tuple[int | None, ...]:
        """Give a tensor's shape, None where a dimension is open.

        Raises:
            ModelNotRunnable: not even its rank is known.
        """
        for weight in self._graph.initializer:
            if weight.name == name:
                return tuple(weight.dims)
        kind = self._type(name)
        if kind is None or not kind.HasField("shape"):
            raise self.refusal(f"the rank of {name!r} is unknown")
        return tuple(
            size.dim_value if size.HasField("dim_value") else None for size in kind.shape.dim
        )

    def element(self, name: str) -> int:
        """Give a tensor's element type, a number of `TensorProto.DataType`."""
        for weight in self._graph.initializer:
            if weight.name == name:
                return int(weight.data_type)
        kind = self._type(name)
        return 0 if kind is None else int(kind.elem_type)

    def is_only_flattened(self, name: str) -> bool:
        """Tell whether nothing sees a tensor's shape: all that reads it makes a vector of it."""
        if any(value.name == name for value in self._graph.output):
            return False
        vectors = {
            weight.name
            for weight in self._graph.initializer
            if list(weight.dims) == [1] and numpy_helper.to_array(weight)[0] == -1
        }
        return all(
            node.op_type == "Reshape" and node.input[0] == name and node.input[1] in vectors
            for node in self._graph.node
            if name in node.input
        )

    def floats(self, name: str) -> str:
        """Give `name`, checked to be float32.

        Raises:
            ModelNotRunnable: it is of another type.
        """
        if self.element(name) != TensorProto.FLOAT:
            raise self.refusal(f"{name!r} is not float32")
        return name

    def check(self, **allowed: Sequence[str]) -> None:
        """Check that attributes of text have a value that is taken (the first is the default).

        Raises:
            ModelNotRunnable: one has not.
        """
        for name, values in allowed.items():
            if self.text(name, values[0]) not in values:
                raise self.refusal(f"{name} is {self.text(name, '')}")

    def absent(self, *names: str) -> None:
        """Check that attributes are missing or empty.

        Raises:
            ModelNotRunnable: one is there.
        """
        for name in names:
            if name in self._attributes and (
                self._attributes[name].HasField("t") or self.numbers(name)
            ):
                raise self.refusal(f"it has {name}")

    def refusal(self, why: str) -> ModelNotRunnable:
        """Give the error that says why this operator is not compiled."""
        return ModelNotRunnable(f"{ML_DOMAIN}.{self.node.op_type} cannot be compiled: {why}.")

    def _type(self, name: str) -> Any:  # noqa: ANN401 - a message of onnx
        for value in (*self._graph.input, *self._graph.value_info, *self._graph.output):
            if value.name == name:
                return value.type.tensor_type
        return None


def label_of(into: Replacement, scores: str, labels: Array, output: str) -> None:
    """Give, as `output`, the label of the greatest of each row's scores, the first if several."""
    if np.array_equal(labels, np.arange(len(labels))):
        into.op("ArgMax", scores, output=output, axis=1, keepdims=0)
        return
    place = into.op("ArgMax", scores, axis=1, keepdims=0)
    into.op("Gather", into.weight(labels, "int64"), place, output=output, axis=0)


def side_of(into: Replacement, score: str, threshold: float, labels: Array, output: str) -> None:
    """Give, as `output`, the second label where a column of scores is over the threshold."""
    over = into.op("Greater", score, into.weight(threshold))
    chosen = into.op(
        "Where", over, into.weight(labels[1], "int64"), into.weight(labels[0], "int64")
    )
    into.op("Reshape", chosen, into.weight([-1], "int64"), output=output)
