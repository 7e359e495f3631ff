"""Weights as int8 with a float32 scale for each output channel, symmetric around zero.

The largest magnitude of a channel becomes 127, as in Jacob et al., "Quantization and Training of
Neural Networks for Efficient Integer-Arithmetic-Only Inference" (arXiv:1712.05877), section 2.1,
with the zero point at zero. Activations stay float32.
"""

from __future__ import annotations

from math import prod
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, TensorProto, helper, numpy_helper

from caimi.inference.wasm.compiling.folding import replace_nodes
from caimi.inference.wasm.compiling.fresh_names import FreshNames

_LEAST_ELEMENTS: Final = 1024
_MOST: Final = 127
Float32 = npt.NDArray[np.float32]


def quantise(model: ModelProto) -> tuple[ModelProto, frozenset[str]]:
    """Make the weights of convolutions and matrix products whole numbers, scaled after the sums.

    Gives the changed model, in which those weights still are float32 tensors, and their names.
    """
    changed = ModelProto()
    changed.CopyFrom(model)
    return changed, _Quantiser(changed).quantise()


class _Quantiser:
    def __init__(self, model: ModelProto) -> None:
        self._graph = model.graph
        self._names = FreshNames(model)
        self._constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self._readers: dict[str, list[Any]] = {}
        for node in model.graph.node:
            for name in node.input:
                self._readers.setdefault(name, []).append(node)
        self._kept = {value.name for value in model.graph.output}

    def quantise(self) -> frozenset[str]:
        nodes, names = [], set()
        for node in self._graph.node:
            axis = self._channel_axis(node)
            nodes.append(node)
            if axis is not None:
                nodes += self._replace(node, axis)
                names.add(node.input[1])
        replace_nodes(self._graph, nodes)
        return frozenset(names)

    def _channel_axis(self, node: Any) -> int | None:  # noqa: ANN401 - a protobuf message
        if node.domain or node.op_type not in ("Conv", "MatMul", "Gemm") or len(node.input) < 2:
            return None
        tensor = self._constants.get(node.input[1])
        if tensor is None or not self._is_worth_it(tensor):
            return None
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        if node.op_type == "Conv":
            return 0
        if len(tensor.dims) != 2 or attributes.get("beta", 1.0) != 1.0:
            return None
        return 0 if attributes.get("transB", 0) else 1

    def _is_worth_it(self, tensor: TensorProto) -> bool:
        return (
            tensor.data_type == TensorProto.FLOAT
            and len(self._readers[tensor.name]) == 1
            and prod(tensor.dims) >= _LEAST_ELEMENTS
            and bool(np.isfinite(numpy_helper.to_array(tensor)).all())
        )

    def _replace(self, node: Any, axis: int) -> list[Any]:  # noqa: ANN401 - as above
        tensor = self._constants[node.input[1]]
        values = np.asarray(numpy_helper.to_array(tensor), dtype=np.float32)
        whole, scale = _scaled(values, axis)
        node.input[1] = self._add(f"{tensor.name}/int8", whole)
        trailing = values.ndim - 2 if node.op_type == "Conv" else 0
        shape = (-1, *[1] * trailing)
        if len(node.input) < 3 and self._scales_next(node.output[0], scale, shape):
            return []
        target, node.output[0] = node.output[0], self._names.fresh(f"{node.output[0]}/sums")
        factor = self._add(f"{target}/scale", scale.reshape(shape))
        if len(node.input) < 3 or not node.input[2]:
            return [helper.make_node("Mul", [node.output[0], factor], [target])]
        bias, made = node.input[2], []
        if node.op_type == "Conv" and bias in self._constants:
            values = numpy_helper.to_array(self._constants[bias])
            bias = self._add(f"{target}/bias", np.asarray(values, np.float32).reshape(shape))
        elif node.op_type == "Conv":  # computed, or an input
            given, bias = bias, self._names.fresh(f"{target}/bias")
            sizes = self._add(f"{target}/sizes", np.asarray(shape, np.int64))
            made = [helper.make_node("Reshape", [given, sizes], [bias])]
        del node.input[2]
        scaled = self._names.fresh(f"{target}/scaled")
        return [
            *made,
            helper.make_node("Mul", [node.output[0], factor], [scaled]),
            helper.make_node("Add", [scaled, bias], [target]),
        ]

    def _scales_next(self, output: str, scale: Float32, shape: tuple[int, ...]) -> bool:
        """Put the scale into a product for each channel that follows already."""
        readers = self._readers.get(output, [])
        if len(readers) != 1 or output in self._kept or readers[0].op_type != "Mul":
            return False
        after = readers[0]
        place = 1 if after.input[0] == output else 0
        factor = self._constants.get(after.input[place])
        wanted = scale.reshape(shape).shape
        if factor is None or tuple(factor.dims) != wanted:
            return False
        values = np.asarray(numpy_helper.to_array(factor), np.float32) * scale.reshape(shape)
        after.input[place] = self._add(f"{output}/scale", values)
        return True

    def _add(self, wish: str, values: npt.NDArray[Any]) -> str:
        name = self._names.fresh(wish)
        tensor = numpy_helper.from_array(np.ascontiguousarray(values), name)
        self._constants[name] = self._graph.initializer.add()
        self._constants[name].CopyFrom(tensor)
        return name


def _scaled(values: Float32, axis: int) -> tuple[Float32, Float32]:
    others = tuple(n for n in range(values.ndim) if n != axis)
    largest = np.abs(values).max(axis=others, keepdims=True)
    scale = np.where(largest > 0, largest / np.float32(_MOST), np.float32(1)).astype(np.float32)
    whole = np.clip(np.rint(values / scale), -_MOST, _MOST).astype(np.float32)
    return whole, scale.reshape(-1)
