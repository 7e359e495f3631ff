"""Small networks that read handwritten digits: random features under a trained head.

The features' weights are drawn from the seed and stay as they are; a logistic regression learns to
read them (for convolutions: Jarrett et al., "What is the Best Multi-Stage Architecture for Object
Recognition?", ICCV 2009; for recurrence: echo state networks). Each model is one ONNX graph from
`pixels` float32 [rows, 64], 0 to 16, row by row, to `label` and `probabilities`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt
from onnx import TensorProto
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from caimi.inference.onnx_runtime import ort
from caimi.inference.tensors import Array
from zoo.graph import ROWS, GraphBuilder

CLASSES = 10
HELD_OUT = 500
_PIXELS = 64
_SIDE = 8


def digits_cnn(seed: int) -> bytes:
    """Two convolutions with pooling between and after them."""

    def features(graph: GraphBuilder, scaled: str) -> tuple[str, int]:
        data = graph.op("Reshape", scaled, graph.constant([-1, 1, _SIDE, _SIDE], "int64"))
        data = graph.op("Relu", graph.batch_norm(graph.conv(data, 1, 24, 3, bias=False), 24))
        data = graph.op("MaxPool", data, kernel_shape=[2, 2], strides=[2, 2])
        data = graph.op("LeakyRelu", graph.conv(data, 24, 48, 3), alpha=0.1)
        data = graph.op("AveragePool", data, kernel_shape=[2, 2], strides=[2, 2])
        return graph.op("Flatten", data), 48 * 4

    return _trained("digits_cnn", seed, features)


def digits_cnn_1d(seed: int) -> bytes:
    """Convolutions along the pixels' columns, one of them dilated; the rows are channels."""

    def features(graph: GraphBuilder, scaled: str) -> tuple[str, int]:
        data = graph.op("Reshape", scaled, graph.constant([-1, _SIDE, _SIDE], "int64"))
        data = graph.op(
            "Conv",
            data,
            graph.weight((64, _SIDE, 3), (2 / (_SIDE * 3)) ** 0.5),
            graph.weight((64,), 0.1),
            kernel_shape=[3],
            pads=[1, 1],
        )
        data = graph.op("Elu", data)
        weights = graph.weight((64, 64, 3), (2 / (64 * 3)) ** 0.5)
        data = graph.op("Conv", data, weights, kernel_shape=[3], dilations=[2], pads=[2, 2])
        data = graph.op("Sigmoid", graph.batch_norm(data, 64))
        data = graph.op("MaxPool", data, kernel_shape=[3], strides=[2], pads=[1, 1])
        return graph.op("Flatten", data), 64 * 4

    return _trained("digits_cnn_1d", seed, features)


def digits_gru(seed: int) -> bytes:
    """A gated recurrent unit that reads row after row, as PyTorch exports it."""
    width = 64

    def features(graph: GraphBuilder, scaled: str) -> tuple[str, int]:
        data = graph.op("Reshape", scaled, graph.constant([-1, _SIDE, _SIDE], "int64"))
        steps = graph.op("Transpose", data, perm=[1, 0, 2])
        _, last = graph.ops(
            "GRU",
            steps,
            graph.weight((1, 3 * width, _SIDE), _SIDE**-0.5),
            graph.weight((1, 3 * width, width), width**-0.5),
            graph.weight((1, 6 * width), 0.1),
            outputs=2,
            hidden_size=width,
            linear_before_reset=1,
        )
        return graph.op("Squeeze", last, graph.constant([0], "int64")), width

    return _trained("digits_gru", seed, features)


def digit_rows(rows: int, seed: int) -> dict[str, Array]:
    """Draw some of the digits."""
    pixels, _ = digits()
    return {"pixels": pixels[np.random.default_rng(seed).integers(0, len(pixels), rows)]}


@cache
def digits() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Give all pixels, float32 [1797, 64], and labels; the last 500 are never trained on."""
    pixels, labels = load_digits(return_X_y=True)
    return pixels.astype(np.float32), labels.astype(np.int64)


def _trained(
    name: str, seed: int, features: Callable[[GraphBuilder, str], tuple[str, int]]
) -> bytes:
    pixels, labels = digits()
    graph, data, width = _features(seed, features)
    graph.named("features", "Identity", data)
    untrained = _built(graph, f"{name}_features", {"features": (TensorProto.FLOAT, (ROWS, width))})
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(untrained, options, providers=["CPUExecutionProvider"])
    (seen,) = session.run(["features"], {"pixels": pixels[:-HELD_OUT]})
    middle, scale = np.mean(seen, axis=0), 1 / np.std(seen, axis=0).clip(1e-6)
    with threadpool_limits(limits=1):
        head = LogisticRegression(C=0.1, max_iter=1000)
        head.fit((seen - middle) * scale, labels[:-HELD_OUT])
    weights = (head.coef_ * scale).T
    graph, data, _ = _features(seed, features)
    logits = graph.op(
        "Gemm", data, graph.constant(weights), graph.constant(head.intercept_ - middle @ weights)
    )
    graph.named("probabilities", "Softmax", logits, axis=1)
    graph.named("label", "ArgMax", "probabilities", axis=1, keepdims=0)
    return _built(
        graph,
        name,
        {
            "label": (TensorProto.INT64, (ROWS,)),
            "probabilities": (TensorProto.FLOAT, (ROWS, CLASSES)),
        },
    )


def _features(
    seed: int, features: Callable[[GraphBuilder, str], tuple[str, int]]
) -> tuple[GraphBuilder, str, int]:
    graph = GraphBuilder(seed)
    data, width = features(graph, graph.op("Mul", "pixels", graph.constant(1 / 16)))
    return graph, data, width


def _built(
    graph: GraphBuilder, name: str, outputs: dict[str, tuple[int, tuple[int | str, ...]]]
) -> bytes:
    return graph.build(name, {"pixels": (TensorProto.FLOAT, (ROWS, _PIXELS))}, outputs)
