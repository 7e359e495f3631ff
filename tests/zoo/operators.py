"""One model of many operators side by side, each with the tolerance that is stated for it.

Every operator reads inputs of its own kind and gives one output, named after it; what a deep model
hides in its sum of errors is seen here one by one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from onnx import TensorProto

from caimi.inference.tensors import Array
from zoo.entry import Tolerance, ZooModel
from zoo.graph import GraphBuilder

_IMAGE: Final = (2, 16, 17, 19)
_MATRIX: Final = (33, 129)
_STEPS: Final = (12, 2, 9)
_HIDDEN: Final = 10

SAME: Final = Tolerance(0, 0, "no rounding, or one that IEEE 754 fixes")
_CURVE: Final = Tolerance(2e-7, 1e-6, "another polynomial for the function")
_SHORT: Final = Tolerance(2e-6, 2e-6, "sums of up to 144 terms in another order")
_LONG: Final = Tolerance(2e-5, 2e-6, "sums of up to 608 terms in another order")
_NORMED: Final = Tolerance(2e-6, 2e-6, "mean and variance of sums in another order")
_GATED: Final = Tolerance(2e-6, 2e-6, "short sums and curves, over twelve steps")

_CURVES: Final = ("Elu", "Erf", "Exp", "HardSigmoid", "HardSwish", "Mish", "Selu", "Sigmoid", "Sin",
                  "Cos", "Softplus", "Softsign", "Tanh")  # fmt: skip
_PLAIN: Final = ("Abs", "Ceil", "Floor", "LeakyRelu", "Neg", "Relu", "Round", "Sign")
_PAIRS: Final = ("Add", "Sub", "Mul", "Div", "Max", "Min")

Write = Callable[[GraphBuilder, str], str]


def _conv(channels: int, size: int, group: int = 1) -> Write:
    return lambda graph, _: graph.conv("image", 16, channels, size, group=group)


def _turned_conv(graph: GraphBuilder, _: str) -> str:
    weights = graph.weight((16, 12, 3, 3), 0.1)
    return graph.op("ConvTranspose", "image", weights, strides=[2, 2], pads=[1, 1, 1, 1])


def _pool(kind: str, **attributes: list[int]) -> Write:
    return lambda graph, _: graph.op(kind, "image", **attributes)


def _on_matrix(kind: str, **attributes: int) -> Write:
    return lambda graph, _: graph.op(kind, "matrix", **attributes)


def _matmul(graph: GraphBuilder, _: str) -> str:
    wide = graph.op("Reshape", "image", graph.constant([17, 608], "int64"))
    return graph.op("MatMul", wide, graph.weight((608, 40), 608**-0.5))


def _gemm(graph: GraphBuilder, _: str) -> str:
    weights, bias = graph.weight((70, 129), 129**-0.5), graph.weight((70,), 0.1)
    return graph.op("Gemm", "matrix", weights, bias, transB=1)


def _layer_norm(graph: GraphBuilder, _: str) -> str:
    gain, bias = graph.weight((129,), 0.1, around=1), graph.weight((129,), 0.1)
    return graph.op("LayerNormalization", "matrix", gain, bias, axis=-1)


def _instance_norm(graph: GraphBuilder, _: str) -> str:
    gain, bias = graph.weight((16,), 0.1, around=1), graph.weight((16,), 0.1)
    return graph.op("InstanceNormalization", "image", gain, bias)


def _recurrent(kind: str, gates: int) -> Write:
    def write(graph: GraphBuilder, _: str) -> str:
        weights = graph.weight((1, gates * _HIDDEN, _STEPS[2]), 0.3)
        hidden = graph.weight((1, gates * _HIDDEN, _HIDDEN), 0.3)
        bias = graph.weight((1, 2 * gates * _HIDDEN), 0.1)
        return graph.op(kind, "steps", weights, hidden, bias, hidden_size=_HIDDEN)

    return write


def _reduced(kind: str) -> Write:
    axes = [1] if kind == "Sum" else [-1]
    return lambda graph, _: graph.op(
        f"Reduce{kind}", "matrix", graph.constant(axes, "int64"), keepdims=0
    )


def _positive(kind: str) -> Write:
    return lambda graph, _: graph.op(kind, graph.op("Abs", "matrix"))


def _power(graph: GraphBuilder, _: str) -> str:
    return graph.op("Pow", graph.op("Abs", "matrix"), graph.constant(1.7))


_WRITERS: Final[dict[str, tuple[Write, Tolerance]]] = {
    **{kind: (_on_matrix(kind), SAME) for kind in _PLAIN},
    **{
        kind: (lambda graph, kind: graph.op(kind, "matrix", graph.weight((129,), 1)), SAME)
        for kind in _PAIRS
    },
    "Sqrt": (_positive("Sqrt"), SAME),
    "Reciprocal": (_on_matrix("Reciprocal"), SAME),
    "MaxPool": (_pool("MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]), SAME),
    "GlobalMaxPool": (_pool("GlobalMaxPool"), SAME),
    "ReduceMax": (_reduced("Max"), SAME),
    **{kind: (_on_matrix(kind), _CURVE) for kind in _CURVES},
    "Log": (_positive("Log"), _CURVE),
    "Pow": (_power, _CURVE),
    "Softmax": (_on_matrix("Softmax", axis=-1), _CURVE),
    "LogSoftmax": (_on_matrix("LogSoftmax", axis=-1), _CURVE),
    "AveragePool": (_pool("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1]), _SHORT),
    "GlobalAveragePool": (_pool("GlobalAveragePool"), _SHORT),
    "ReduceSum": (_reduced("Sum"), _LONG),
    "ReduceMean": (_reduced("Mean"), _SHORT),
    "ReduceL2": (_reduced("L2"), _SHORT),
    "Conv 1x1": (_conv(24, 1), _SHORT),
    "Conv 3x3": (_conv(24, 3), _SHORT),
    "Conv depthwise": (_conv(16, 3, 16), _SHORT),
    "Conv grouped": (_conv(24, 3, 4), _SHORT),
    "ConvTranspose": (_turned_conv, _SHORT),
    "BatchNormalization": (lambda graph, _: graph.batch_norm("image", 16), _NORMED),
    "InstanceNormalization": (_instance_norm, _NORMED),
    "LayerNormalization": (_layer_norm, _NORMED),
    "Gemm": (_gemm, _SHORT),
    "MatMul": (_matmul, _LONG),
    "RNN": (_recurrent("RNN", 1), _GATED),
    "GRU": (_recurrent("GRU", 3), _GATED),
    "LSTM": (_recurrent("LSTM", 4), _GATED),
}


def operators(seed: int) -> bytes:
    """Give the model's ONNX bytes: `image`, `matrix` and `steps` to one output an operator."""
    graph = GraphBuilder(seed)
    for name, (write, _) in _WRITERS.items():
        graph.named(name, "Identity", write(graph, name.split()[0]))
    return graph.build(
        "operators",
        {
            "image": (TensorProto.FLOAT, _IMAGE),
            "matrix": (TensorProto.FLOAT, _MATRIX),
            "steps": (TensorProto.FLOAT, _STEPS),
        },
        dict.fromkeys(_WRITERS, (TensorProto.FLOAT, None)),
    )


def operator_inputs(_: int, seed: int) -> dict[str, Array]:
    """Give normal noise."""
    drawn = np.random.default_rng(seed)
    shapes = {"image": _IMAGE, "matrix": _MATRIX, "steps": _STEPS}
    return {name: drawn.standard_normal(shape, dtype=np.float32) for name, shape in shapes.items()}


OPERATORS: Final = ZooModel(
    "operators",
    "random",
    operators,
    operator_inputs,
    {name: tolerance for name, (_, tolerance) in _WRITERS.items()},
    symbolic_rows=False,
)
