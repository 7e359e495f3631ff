"""A graph of operators that have nothing to do with one another, put together one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import ModelProto, TensorProto, helper, numpy_helper

FLOAT, INT, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


class Operators:
    """A graph of operators that have nothing to do with one another."""

    def __init__(self, seed: Sequence[int]) -> None:
        self.opset = 20
        self.random = np.random.default_rng(seed)
        self._nodes: list[Any] = []
        self._inputs: list[Any] = []
        self._constants: list[Any] = []
        self._outputs: list[str] = []

    def between(self, least: int, most: int) -> int:
        """Draw a size: small ones as often as large ones."""
        low, high = np.log(least), np.log(most + 1)
        return min(int(np.exp(self.random.uniform(low, high))), most)

    def input(self, shape: Sequence[int], kind: int = FLOAT) -> str:
        """Add an input."""
        name = f"x{len(self._inputs)}"
        self._inputs.append(helper.make_tensor_value_info(name, kind, list(shape)))
        return name

    def constant(self, value: npt.ArrayLike, kind: type = np.float32) -> str:
        """Add a constant."""
        name = f"c{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.asarray(value, kind), name))
        return name

    def noise(self, *shape: int) -> str:
        """Add weights."""
        return self.constant(self.random.standard_normal(shape))

    def inner(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add an operator that another one reads."""
        name = f"y{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def add(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> None:
        """Add an operator whose outputs are the graph's."""
        names = [f"y{len(self._nodes)}_{place}" for place in range(outputs)]
        self._nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        self._outputs += names

    def model(self) -> ModelProto:
        """Give the graph."""
        outputs = [onnx.ValueInfoProto(name=name) for name in self._outputs]
        graph = helper.make_graph(self._nodes, "g", self._inputs, outputs, self._constants)
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=9
        )
        return onnx.shape_inference.infer_shapes(model, strict_mode=True)
