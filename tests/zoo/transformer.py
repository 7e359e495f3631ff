"""A transformer encoder of two layers, with random weights.

Post-norm layers as in Devlin et al., "BERT" (arXiv:1810.04805), 128 tokens, width 256, four heads,
written in the operators that PyTorch exports at this opset: the exact GELU by Erf, attention by
MatMul and Softmax, and a mask that is added to the scores.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from onnx import TensorProto

from caimi.inference.tensors import Array
from zoo.graph import ROWS, GraphBuilder

TOKENS: Final = 128
WIDTH: Final = 256
HEADS: Final = 4
LAYERS: Final = 2
VOCABULARY: Final = 1000
_HIDDEN: Final = 4 * WIDTH
_HEAD: Final = WIDTH // HEADS
_MASKED: Final = -10_000


def transformer(seed: int) -> bytes:
    """Give the model's ONNX bytes.

    `tokens` int64 [rows, 128], each in 0..999, and `mask` float32 [rows, 128], 1 for those that
    count, to `encoding` float32 [rows, 128, 256] and, of the first token, `pooled` [rows, 256].
    """
    graph = GraphBuilder(seed)
    hidden = graph.op("Gather", graph.weight((VOCABULARY, WIDTH), 1), "tokens", axis=0)
    hidden = _norm(graph, graph.op("Add", hidden, graph.weight((1, TOKENS, WIDTH), 0.5)))
    mask = graph.op("Unsqueeze", "mask", graph.constant([1, 2], "int64"))
    mask = graph.op("Mul", graph.op("Sub", graph.constant(1), mask), graph.constant(_MASKED))
    for _ in range(LAYERS):
        hidden = _norm(graph, graph.op("Add", _attention(graph, hidden, mask), hidden))
        hidden = _norm(graph, graph.op("Add", _feed_forward(graph, hidden), hidden))
    graph.named("encoding", "Identity", hidden)
    first = graph.op("Gather", hidden, graph.constant(0, "int64"), axis=1)
    weights = graph.weight((WIDTH, WIDTH), WIDTH**-0.5)
    pooled = graph.op("Gemm", first, weights, graph.weight((WIDTH,), 0.01), transB=1)
    graph.named("pooled", "Tanh", pooled)
    return graph.build(
        "transformer",
        {
            "tokens": (TensorProto.INT64, (ROWS, TOKENS)),
            "mask": (TensorProto.FLOAT, (ROWS, TOKENS)),
        },
        {
            "encoding": (TensorProto.FLOAT, (ROWS, TOKENS, WIDTH)),
            "pooled": (TensorProto.FLOAT, (ROWS, WIDTH)),
        },
    )


def transformer_inputs(rows: int, seed: int) -> dict[str, Array]:
    """Give token sequences of different lengths, the rest masked."""
    drawn = np.random.default_rng(seed)
    lengths = drawn.integers(TOKENS // 2, TOKENS + 1, (rows, 1))
    return {
        "tokens": drawn.integers(0, VOCABULARY, (rows, TOKENS)),
        "mask": (np.arange(TOKENS) < lengths).astype(np.float32),
    }


def _norm(graph: GraphBuilder, data: str) -> str:
    gain, bias = graph.weight((WIDTH,), 0.1, around=1), graph.weight((WIDTH,), 0.1)
    return graph.op("LayerNormalization", data, gain, bias, axis=-1, epsilon=1e-5)


def _attention(graph: GraphBuilder, data: str, mask: str) -> str:
    split = graph.constant([0, 0, HEADS, _HEAD], "int64")

    def heads(*order: int) -> str:
        return graph.op(
            "Transpose", graph.op("Reshape", graph.linear(data, WIDTH, WIDTH), split), perm=order
        )

    query, key, value = heads(0, 2, 1, 3), heads(0, 2, 3, 1), heads(0, 2, 1, 3)
    scores = graph.op("Div", graph.op("MatMul", query, key), graph.constant(_HEAD**0.5))
    shares = graph.op("Softmax", graph.op("Add", scores, mask), axis=-1)
    mixed = graph.op("Transpose", graph.op("MatMul", shares, value), perm=(0, 2, 1, 3))
    joined = graph.op("Reshape", mixed, graph.constant([0, 0, WIDTH], "int64"))
    return graph.linear(joined, WIDTH, WIDTH)


def _feed_forward(graph: GraphBuilder, data: str) -> str:
    wide = graph.linear(data, WIDTH, _HIDDEN)
    erf = graph.op("Erf", graph.op("Div", wide, graph.constant(2**0.5)))
    gelu = graph.op("Mul", wide, graph.op("Add", erf, graph.constant(1)))
    return graph.linear(graph.op("Mul", gelu, graph.constant(0.5)), _HIDDEN, WIDTH)
