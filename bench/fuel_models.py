"""Graphs of single operators of random sizes, whose fuel a schedule is fitted to."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from onnx import ModelProto, TensorProto

from bench.fuel_models_rare import RARE
from bench.fuel_operators import BOOL, FLOAT, INT, Operators


def _products(to: Operators) -> None:
    for place in range(90):
        m = 1 if place % 4 == 0 else to.between(2, 70)
        n, k = to.between(1, 300), to.between(1, 900)
        turned = int(place % 3 == 1)
        left = (k, m) if place % 7 == 3 else (m, k)
        right = to.input((n, k) if turned else (k, n))
        more = [to.input((n,))] if place % 5 < 2 and n > 1 else []
        options = {"transA": int(left != (m, k)), "transB": turned}
        if place % 3 == 0:
            to.add("Relu", to.inner("Gemm", to.input(left), right, *more, **options))
        else:
            to.add("Gemm", to.input(left), right, *more, **options)
    for _ in range(10):
        batch, m, n, k = to.between(1, 9), to.between(1, 40), to.between(1, 90), to.between(1, 90)
        product = to.inner("MatMul", to.input((batch, m, k)), to.input((batch, k, n)))
        to.add("Add", product, to.input((batch, m, n)))
        to.add("MatMul", to.input((batch, m, k)), to.input((k, n)))


def _finished(to: Operators, output: str, shape: tuple[int, ...], place: int) -> None:
    """Let one of several things happen to a convolution's sums."""
    ones = (shape[1], *[1] * (len(shape) - 2))
    steps: list[Callable[[str], str]] = []
    if place % 2:
        steps.append(lambda y: to.inner("Mul", y, to.noise(*ones)))
        steps.append(lambda y: to.inner("Add", y, to.noise(*ones)))
    if place % 3 == 0:
        steps.append(lambda y: to.inner("Add", y, to.input(shape)))
    for step in steps:
        output = step(output)
    to.add("Relu" if place % 4 < 2 else "Neg", output)


def _convolution(to: Operators, place: int, groups: int, given: int) -> None:
    rank = 1 if place % 5 == 4 else 2
    kernel = [int(to.random.choice([1, 1, 2, 3, 3, 3, 5, 7])) for _ in range(rank)]
    if place % 3 == 0:
        kernel = [kernel[0]] * rank
    stride = [int(to.random.choice([1, 1, 1, 2, 2, 3]))] * rank
    pad = [size // 2 if place % 4 else 0 for size in kernel]
    spatial = [size + to.between(1, 30) for size in kernel]
    if place % 8 == 7:
        kernel, stride, pad, spatial = [1] * rank, [1] * rank, [0] * rank, [1] * rank
    taken = 1 if groups > 1 else to.between(1, 90)
    out = tuple(
        (size + 2 * p - k) // s + 1
        for size, p, k, s in zip(spatial, pad, kernel, stride, strict=True)
    )
    channels = groups * given
    output = to.inner(
        "Conv",
        to.input((1, groups * taken, *spatial)),
        to.input((channels, taken, *kernel)),
        group=groups,
        strides=stride,
        pads=[*pad, *pad],
    )
    _finished(to, output, (1, channels, *out), place)


def _convolutions(to: Operators) -> None:
    for place in range(64):
        _convolution(to, place, 1, to.between(1, 70))


def _depthwise(to: Operators) -> None:
    for place in range(48):
        _convolution(to, place, to.between(2, 40), 1 + place // 40)


_UNARY = (
    "Exp", "Log", "Sqrt", "Abs", "Neg", "Reciprocal", "Erf", "Tanh", "Sigmoid", "Floor", "Ceil",
    "Softplus", "Softsign", "Relu", "LeakyRelu", "Elu", "Selu", "HardSigmoid", "HardSwish", "Gelu",
    "Sin", "Cos", "Round", "Sign",
)  # fmt: skip


def _unary(to: Operators) -> None:
    for kind in _UNARY:
        for _ in range(9):
            to.add(kind, to.input((to.between(1, 30), to.between(1, 60))))
    for _ in range(9):
        x = to.input((to.between(1, 30), to.between(1, 60)))
        to.add("Clip", x, to.constant(0.0), to.constant(6.0))
        to.add("Identity", to.input((to.between(1, 600),)))
        to.add("Not", to.input((to.between(1, 600),), BOOL))
        to.add("Flatten", to.input((1, to.between(1, 60))))


def _broadcasts(to: Operators) -> list[tuple[Sequence[int], Sequence[int]]]:
    a, b, c = to.between(1, 9), to.between(1, 24), to.between(2, 50)
    return [
        ((a, b, c), (a, b, c)),
        ((1, a * c), (1, a * c)),
        ((1, b * c), (1, b * c)),
        ((1, c), (1, c)),
        ((a, b, c), (c,)),
        ((a, b, c), (b, 1)),
        ((a, b, c), ()),
        ((a, b, c), (a, 1, c)),
        ((1, c), (1,)),
        ((), (a, b, c)),
    ]


def _binary(to: Operators) -> None:
    for kind in ("Add", "Sub", "Mul", "Div", "Max", "Min", "Pow", "PRelu"):
        for _ in range(3):
            for left, right in _broadcasts(to):
                if kind != "PRelu" or len(right) <= len(left):
                    to.add(kind, to.input(left), to.input(right))
    for kind in ("Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Equal"):
        for left, right in _broadcasts(to):
            to.add(kind, to.input(left), to.input(right))
            to.add(kind, to.input(left, INT), to.input(right, INT))
    for kind in ("Add", "Sub", "Mul", "Div"):
        for left, right in _broadcasts(to):
            to.add(kind, to.input(left, INT), to.input(right, INT))
    for kind in ("And", "Or", "Xor"):
        for left, right in _broadcasts(to):
            to.add(kind, to.input(left, BOOL), to.input(right, BOOL))
    for element in (FLOAT, INT):
        for left, right in _broadcasts(to):
            to.add("Where", to.input(left, BOOL), to.input(left, element), to.input(right, element))


def _casts(to: Operators) -> None:
    kinds = (FLOAT, INT, BOOL, TensorProto.INT32, TensorProto.DOUBLE)
    for source in kinds:
        for target in kinds:
            for _ in range(4):
                to.add("Cast", to.input((to.between(1, 900),), source), to=target)


def _copies(to: Operators) -> None:
    for place in range(24):
        a, b, c, d = (to.between(1, 12) for _ in range(4))
        kind = INT if place % 4 == 3 else FLOAT
        for order in ([0, 2, 1, 3], [0, 1, 3, 2], [3, 0, 1, 2], [0, 2, 3, 1]):
            to.add("Transpose", to.input((a, b, c, d), kind), perm=order)
        axis = place % 3
        parts = [[a, b, c], [a, b, c], [a, b, c]]
        parts[1][axis] = to.between(1, 9)
        to.add("Concat", *(to.input(part, kind) for part in parts), axis=axis)
        ends = to.constant([b, max(c // 2, 1)], np.int64)
        x = to.input((a, b, c), kind)
        to.add("Slice", x, to.constant([0, 0], np.int64), ends, to.constant([1, 2], np.int64))
        to.add("Split", to.input((a, 2 * b, 2 * c), kind), outputs=2, axis=1 + place % 2,
               num_outputs=2)  # fmt: skip
        to.add("Expand", to.input((a, 1, c), kind), to.constant([a, b, c], np.int64))
        to.add("Unsqueeze", to.input((a, b), kind), to.constant([1], np.int64))
        to.add("Reshape", to.input((a, b), kind), to.constant([a * b], np.int64))
        to.add("Pad", to.input((a, b, c)), to.constant([0, 1, 1, 0, 1, 1], np.int64))
        to.add("Tile", to.input((a, b)), to.constant([1, to.between(1, 5)], np.int64))


def _gathers(to: Operators) -> None:
    """Look-ups in tables that a run fills and in constants, as trees make them."""
    for count in (to.between(2, 7), to.between(8, 14), 15, to.between(16, 24), 40, 150):
        a, b = to.between(25, 60), to.between(2, 30)
        for kind, dtype in ((FLOAT, np.float32), (INT, np.int64)):
            known = to.constant(to.random.integers(0, a, count), np.int64)
            for at in (to.input((count,), INT), known):
                to.add("Gather", to.input((to.between(a, 2000),), kind), at, axis=0)
                to.add("Gather", to.constant(100 * to.random.random(a), dtype), at, axis=0)
                to.add("Gather", to.input((1, a), kind), at, axis=1)
                to.add("Gather", to.input((a, b), kind), at, axis=0)
                wide = to.constant(100 * to.random.random((a, 1 + b % 4)), dtype)
                to.add("Gather", wide, at, axis=0)
            to.add("GatherElements", to.input((1, a), kind), to.input((1, count), INT), axis=1)
            whole = (to.input((1, count), BOOL), to.input((1, count), kind))
            to.add("Where", *whole, to.input((1, count), kind))
        for table in (
            to.input((a, b), TensorProto.INT32),
            to.input((a,), TensorProto.INT32),
            to.constant(100 * to.random.random(a), np.int32),
            to.constant(100 * to.random.random((a, 1 + b % 4)), np.int32),
        ):
            to.add("Gather", table, to.input((count,), INT), axis=0)
            to.add("Gather", table, to.constant(to.random.integers(0, a, count), np.int64), axis=0)
        to.add("Add", to.input((1, count), INT), to.input((1, count), INT))
        for comparison in ("Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Equal"):
            to.add(comparison, to.input((1, count)), to.input((1, count)))


def _axes(to: Operators) -> None:
    for place in range(16):
        a, b, c = to.between(1, 12), to.between(1, 90), to.between(1, 40)
        for axis in (-1, 1):
            to.add("Softmax", to.input((a, b, c)), axis=axis)
            to.add("LogSoftmax", to.input((a, b, c)), axis=axis)
            to.add("ArgMax", to.input((a, b, c)), axis=axis, keepdims=place % 2)
            for kind in ("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceSumSquare",
                         "ReduceL2", "ReduceL1", "ReduceProd"):  # fmt: skip
                to.add(kind, to.input((a, b, c)), to.constant([axis], np.int64), keepdims=1)
        to.add("LayerNormalization", to.input((a, b, c)), to.input((c,)), to.input((c,)))
        to.add("InstanceNormalization", to.input((1, a, b)), to.input((a,)), to.input((a,)))
        to.add("GlobalAveragePool", to.input((1, a, b, 3)))
        to.add("GlobalMaxPool", to.input((1, a, b, 3)))


def _pools(to: Operators) -> None:
    for place in range(40):
        rank = 1 if place % 4 == 3 else 2
        kernel = [int(to.random.integers(2, 4 + place % 3)) for _ in range(rank)]
        stride = [1 + place % 3] * rank
        pad = [size // 2 if place % 2 else 0 for size in kernel] * 2
        spatial = [size + to.between(1, 40) for size in kernel]
        for kind in ("MaxPool", "AveragePool"):
            x = to.input((1, to.between(1, 24), *spatial))
            to.add(kind, x, kernel_shape=kernel, strides=stride, pads=pad)


def _recurrent(to: Operators) -> None:
    for place in range(14):
        steps, batch = to.between(1, 14), 1 if place % 3 else to.between(1, 4)
        size, hidden = to.between(1, 60), to.between(1, 60)
        for kind, gates in (("GRU", 3), ("LSTM", 4), ("RNN", 1)):
            more = {"linear_before_reset": place % 2} if kind == "GRU" else {}
            to.add(
                kind, to.input((steps, batch, size)), to.input((1, gates * hidden, size)),
                to.input((1, gates * hidden, hidden)), to.input((1, 2 * gates * hidden)),
                hidden_size=hidden, **more,
            )  # fmt: skip


def _attention(to: Operators) -> None:
    to.opset = 23
    for _ in range(24):
        batch, heads = to.between(1, 3), to.between(1, 6)
        queries, keys, size = to.between(1, 40), to.between(1, 60), to.between(1, 70)
        q = to.input((batch, heads, queries, size))
        k = to.input((batch, heads, keys, size))
        v = to.input((batch, heads, keys, to.between(1, 70)))
        to.add("Attention", q, k, v)


GROUPS: dict[str, Callable[[Operators], None]] = {
    "products": _products,
    "convolutions": _convolutions,
    "depthwise": _depthwise,
    "unary": _unary,
    "binary": _binary,
    "casts": _casts,
    "copies": _copies,
    **{f"gathers-{place}": _gathers for place in range(3)},
    "axes": _axes,
    "pools": _pools,
    "recurrent": _recurrent,
    "attention": _attention,
    **RARE,
}


def operators(group: str, seed: int) -> ModelProto:
    """Make a group's graph."""
    to = Operators([seed, *group.encode()])
    GROUPS[group](to)
    return to.model()
