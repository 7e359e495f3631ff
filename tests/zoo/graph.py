"""Writing an ONNX graph down operator by operator, its weights drawn from a seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, NodeProto, TensorProto, checker, helper, numpy_helper, shape_inference

from caimi.inference.tensors import Array

OPSET: Final = 18
ROWS: Final = "rows"
_IR_VERSION: Final = 9

Attribute = float | Sequence[int]
Shape = Sequence[int | str] | None


class GraphBuilder:
    """A graph that grows: each operator gives the name of its (first) output."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self._nodes: list[NodeProto] = []
        self._weights: list[TensorProto] = []

    def op(self, kind: str, *inputs: str, **attributes: Attribute) -> str:
        """Add an operator with one output."""
        return self.ops(kind, *inputs, outputs=1, **attributes)[0]

    def ops(self, kind: str, *inputs: str, outputs: int, **attributes: Attribute) -> list[str]:
        """Add an operator with several outputs."""
        first = f"{kind}_{len(self._nodes)}"
        names = [first, *(f"{first}_{place}" for place in range(1, outputs))]
        self._add(kind, inputs, names, attributes)
        return names

    def named(self, output: str, kind: str, *inputs: str, **attributes: Attribute) -> str:
        """Add an operator that gives one of the model's outputs."""
        self._add(kind, inputs, [output], attributes)
        return output

    def _add(
        self,
        kind: str,
        inputs: Sequence[str],
        outputs: Sequence[str],
        attributes: Mapping[str, Attribute],
    ) -> None:
        node = helper.make_node(kind, inputs, outputs)
        node.attribute.extend(helper.make_attribute(*each) for each in sorted(attributes.items()))
        self._nodes.append(node)

    def constant(self, values: npt.ArrayLike, dtype: str = "float32") -> str:
        """Add a tensor of given values."""
        name = f"weight_{len(self._weights)}"
        self._weights.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def weight(self, shape: tuple[int, ...], scale: float, around: float = 0) -> str:
        """Add a tensor of normal noise."""
        noise = self.random.standard_normal(shape, dtype=np.float32) * np.float32(scale)
        return self.constant(noise + np.float32(around) if around else noise)

    def conv(
        self,
        data: str,
        taken: int,
        given: int,
        size: int,
        *,
        bias: bool = True,
        stride: int = 1,
        group: int = 1,
    ) -> str:
        """Add a two-dimensional convolution that keeps the size (divided by its stride).

        Weights are drawn as in He et al., "Delving Deep into Rectifiers" (arXiv:1502.01852).
        """
        each = taken // group
        inputs = [self.weight((given, each, size, size), (2 / (each * size * size)) ** 0.5)]
        if bias:
            inputs.append(self.weight((given,), 0.01))
        grouped = {"group": group} if group > 1 else {}
        return self.op(
            "Conv",
            data,
            *inputs,
            kernel_shape=[size, size],
            strides=[stride, stride],
            pads=[size // 2] * 4,
            **grouped,
        )

    def batch_norm(self, data: str, channels: int) -> str:
        """Add a batch normalisation as training leaves it: none of its four vectors is neutral."""
        shape = (channels,)
        return self.op(
            "BatchNormalization",
            data,
            self.weight(shape, 0.1, around=1),
            self.weight(shape, 0.1),
            self.weight(shape, 0.1),
            self.constant(self.random.uniform(0.5, 1.5, shape)),
            epsilon=1e-5,
        )

    def linear(self, data: str, taken: int, given: int) -> str:
        """Add a matrix product and a bias, on the last of any number of dimensions."""
        product = self.op("MatMul", data, self.weight((taken, given), taken**-0.5))
        return self.op("Add", product, self.weight((given,), 0.01))

    def build(
        self,
        name: str,
        inputs: Mapping[str, tuple[int, Shape]],
        outputs: Mapping[str, tuple[int, Shape]],
    ) -> bytes:
        """Give the model's bytes; inputs and outputs map names to element type and shape.

        An output's shape may be None: then it is inferred.
        """
        taken, given = (
            [helper.make_tensor_value_info(each, *values[each]) for each in values]
            for values in (inputs, outputs)
        )
        model: ModelProto = helper.make_model(
            helper.make_graph(self._nodes, name, taken, given, self._weights),
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=_IR_VERSION,
        )
        if any(shape is None for _, shape in outputs.values()):
            inferred = shape_inference.infer_shapes(model).graph.output
            del model.graph.output[:]
            model.graph.output.extend(inferred)
        checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString(deterministic=True))


def noise(name: str, *shape: int) -> Callable[[int, int], dict[str, Array]]:
    """Give a maker of example inputs: one float32 tensor of normal noise, rows by `shape`."""

    def inputs(rows: int, seed: int) -> dict[str, Array]:
        drawn = np.random.default_rng(seed).standard_normal((rows, *shape), dtype=np.float32)
        return {name: drawn}

    return inputs
