"""Operators that the generator's own loops compute, of random sizes, for the fit of schedules."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from onnx import TensorProto

from bench.fuel_operators import BOOL, FLOAT, INT, Operators

UINT8, INT8, INT32 = TensorProto.UINT8, TensorProto.INT8, TensorProto.INT32
HALF, DOUBLE = TensorProto.FLOAT16, TensorProto.DOUBLE
_TIMES = 9


def copies(to: Operators) -> None:
    """Pads, resizes, ranges, and what changes only a shape or a type."""
    for _ in range(_TIMES):
        a, b, c = to.between(1, 8), to.between(4, 40), to.between(4, 60)
        for mode in ("reflect", "edge"):
            pads = to.constant([0, 0, 1, to.between(1, 3), 0, 0, 2, to.between(1, 3)], np.int64)
            to.add("Pad", to.input((1, a, b, c)), pads, mode=mode)
            line = to.constant([0, 0, to.between(1, 3), 0, 0, to.between(1, 3)], np.int64)
            to.add("Pad", to.input((1, 1, b * c)), line, mode=mode)
        for kind in (BOOL, INT, INT32, UINT8, FLOAT):
            to.add("Reshape", to.input((a, b), kind), to.constant([a * b], np.int64))
            to.add("Identity", to.input((a * b,), kind))
        for many in (BOOL, FLOAT, INT):
            whole = to.constant([a, b, c], np.int64)
            to.add("Expand", to.input((a, 1, c), many), whole)
        for element in (BOOL, INT):
            two = (to.input((a, b), BOOL), to.input((b,), element))
            to.add("Where", *two, to.input((a, b), element))


def resizes(to: Operators) -> None:
    """Resizes by scale, in the modes that exporters state."""
    kinds = (
        *(("nearest", "asymmetric"), ("nearest", "half_pixel"), ("linear", "half_pixel")),
        *(("linear", "align_corners"), ("linear", "pytorch_half_pixel"), ("linear", "asymmetric")),
    )
    for mode, coordinates in kinds:
        for _ in range(_TIMES):
            times = [1.0, 1.0, *(float(x) for x in to.random.choice([2.0, 2.0, 4.0, 3.0], 2))]
            x = to.input((1, to.between(1, 12), to.between(2, 20), to.between(2, 20)))
            to.add(
                "Resize",
                *(x, "", to.constant(times)),
                mode=mode,
                coordinate_transformation_mode=coordinates,
            )


def tests(to: Operators) -> None:
    """Tests and choices of elements, by which missing values are replaced, and odd types."""
    for _ in range(_TIMES):
        shape = (to.between(1, 20), to.between(1, 40))
        last = shape[1:]
        for kind in ("IsNaN", "IsInf"):
            to.add(kind, to.input(shape))
        for element in (FLOAT, INT):
            chosen = to.inner("IsNaN", to.input(shape))
            one = to.constant(1, np.float32 if element == FLOAT else np.int64)
            to.add("Where", chosen, one, to.input(shape, element))
        for kind in ("Equal", "Less", "Greater"):
            to.add(kind, to.input(shape, INT32), to.input(last, INT32))
            to.add(kind, to.input(shape, INT32), to.input(shape, INT32))
        for kind in ("Acos", "Asin", "Atan", "Cosh", "Sinh", "Tan", "Asinh", "Atanh", "Mish"):
            to.add(kind, to.input(shape))
        for kind in ("Max", "Min", "Mod"):
            to.add(kind, to.input(shape, INT), to.input(shape, INT))
        to.add("CumSum", to.input(shape), to.constant(1, np.int64))
        to.add("CumSum", to.input(shape, INT), to.constant(1, np.int64))
        to.add("Hardmax", to.input(shape))
        to.add("Neg", to.input(shape, INT))
        to.add("Abs", to.input(shape, INT))


def quantised(to: Operators) -> None:
    """What QDQ models are made of."""
    for _ in range(_TIMES):
        shape = (1, to.between(1, 20), to.between(1, 60))
        for kind, whole in ((UINT8, np.uint8), (INT8, np.int8)):
            scale, zero = to.constant(0.05), to.constant(3, whole)
            to.add("QuantizeLinear", to.input(shape), scale, zero)
            to.add("DequantizeLinear", to.input(shape, kind), scale, zero)
            m, n, k = to.between(1, 20), to.between(1, 60), to.between(1, 90)
            to.add("MatMulInteger", to.input((m, k), kind), to.input((k, n), kind), zero, zero)
            left = (to.input((m, k), kind), scale, zero)
            to.add("QLinearMatMul", *left, to.input((k, n), kind), scale, zero, scale, zero)
        channels = to.input((to.between(2, 20), to.between(1, 60)), INT8)
        to.add("DequantizeLinear", channels, to.constant(0.1), to.constant(0, np.int8))
        to.add("DynamicQuantizeLinear", to.input(shape), outputs=3)


def products(to: Operators) -> None:
    """Products and windows that have no kernel of ours, and weights that are fetched."""
    for place in range(2 * _TIMES):
        m, n, k = to.between(1, 20), to.between(1, 90), to.between(1, 90)
        turned = place % 2
        right = to.input((n, k) if turned else (k, n))
        to.add("Gemm", to.input((m, k)), right, to.input((m, 1)), alpha=-2.0, transB=turned)
        given, taken, size = to.between(1, 12), to.between(1, 12), to.between(2, 9)
        w = to.input((taken, given, 2, 2) if turned else (taken, given, 3, 3))
        stride = [2, 2] if turned else [1, 1]
        x = to.input((1, taken, size, size + place % 5))
        to.add("ConvTranspose", x, w, strides=stride)
        shape = (1, to.between(3, 20), to.between(1, 12), to.between(1, 12))
        to.add("LRN", to.input(shape), size=5)
        to.add("LpPool", to.input((*shape[:2], 8, 9)), kernel_shape=[2, 2], strides=[2, 2])
        to.add("LpNormalization", to.input(shape[2:]))
        fetched = 256 * to.between(1, 9)
        to.add("Add", to.input((fetched,)), to.noise(fetched))


def halves(to: Operators) -> None:
    """What models of float16 and float64 have around operators of float32.

    But for conversions from and to float16, whose fuel depends on the numbers: those are counted.
    """
    for _ in range(_TIMES):
        a, b, c = to.between(1, 12), to.between(2, 24), to.between(2, 60)
        for element in (HALF, DOUBLE):
            to.add("Identity", to.input((a, b, c), element))
            to.add("Reshape", to.input((a, b * c), element), to.constant([-1], np.int64))
            to.add("Transpose", to.input((a, b, c), element), perm=[0, 2, 1])
            to.add("Concat", to.input((a, b), element), to.input((a, c), element), axis=1)
            to.add("Unsqueeze", to.input((a, b), element), to.constant([1], np.int64))
        for kind in ("Add", "Mul", "Sub"):
            to.add(kind, to.input((a, b, c), DOUBLE), to.input((a, b, c), DOUBLE))
            to.add(kind, to.input((a, b, c), DOUBLE), to.input((c,), DOUBLE))


def names(to: Operators) -> None:
    """Operators that have a kernel of ours and stand in few models."""
    to.opset = 24
    for place in range(_TIMES):
        shape = (to.between(1, 30), to.between(1, 60))
        for kind in ("ThresholdedRelu", "Celu", "Swish"):
            to.add(kind, to.input(shape))
        to.add("Gelu", to.input(shape), approximate="tanh")
        to.add("RMSNormalization", to.input(shape), to.input(shape[1:]))
        c = to.between(1, 20)
        image = (to.between(1, 3), c, to.between(1, 16), to.between(1, 16))
        factors = [to.input((c,)) for _ in range(4)]
        to.add("BatchNormalization", to.input(image), *factors)
        heads, queries, keys = to.between(1, 6), to.between(1, 40), to.between(1, 60)
        q, k = (to.input((1, heads, rows, 8 + place)) for rows in (queries, keys))
        v = to.input((1, heads, keys, 3 * place + 4))
        to.add("Attention", q, k, v, is_causal=1)
        to.add("Attention", q, k, v, to.input((queries, keys)))
        to.add("Attention", q, k, v, to.input((queries, keys), BOOL))
        to.add("Trilu", to.input(shape))
        to.add("Mean", *(to.input(shape) for _ in range(2)))


def long_rows(to: Operators) -> None:
    """What goes along rows, where they are as long as whole images."""
    for _ in range(_TIMES):
        shape = (to.between(1, 6), to.between(90, 5000))
        for kind in ("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceSumSquare"):
            to.add(kind, to.input(shape), to.constant([1], np.int64))
        to.add("Softmax", to.input(shape))
        to.add("LogSoftmax", to.input(shape))
        to.add("LayerNormalization", to.input(shape), to.input(shape[1:]), to.input(shape[1:]))
        to.add("Add", to.input(shape), to.input(shape[1:]))
        to.add("DynamicQuantizeLinear", to.input(shape), outputs=3)
        to.add("InstanceNormalization", to.input((1, *shape)), *(to.input(shape[:1]),) * 2)


RARE: dict[str, Callable[[Operators], None]] = {
    "rare copies": copies,
    "resizes": resizes,
    "tests": tests,
    "quantised": quantised,
    "rare products": products,
    "halves": halves,
    "names": names,
    "long rows": long_rows,
}
