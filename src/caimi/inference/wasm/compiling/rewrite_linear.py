"""Rewriting the linear models and the preparation of features of `ai.onnx.ml`."""

from __future__ import annotations

from typing import Final

import numpy as np
from onnx import TensorProto

from caimi.inference.tensors import Array
from caimi.inference.wasm.compiling.replacement import Replacement, label_of, side_of

_TRANSFORMS: Final = ("NONE", "LOGISTIC", "SOFTMAX")
_CLASSES: Final = 2


def scaler(into: Replacement) -> None:
    """(x - offset) * scale."""
    data = into.floats(into.node.input[0])
    moved = into.op("Sub", data, into.weight(into.numbers("offset")))
    into.op("Mul", moved, into.weight(into.numbers("scale")), output=into.node.output[0])


def binarizer(into: Replacement) -> None:
    """1 over the threshold, 0 elsewhere."""
    data = into.floats(into.node.input[0])
    over = into.op("Greater", data, into.weight(into.number("threshold", 0)))
    into.op("Cast", over, output=into.node.output[0], to=TensorProto.FLOAT)


def imputer(into: Replacement) -> None:
    """Another value where the missing one, or NaN if that is it, stands."""
    into.absent("imputed_value_int64s")
    data = into.floats(into.node.input[0])
    missing = into.number("replaced_value_float", 0)
    found = (
        into.op("IsNaN", data)
        if np.isnan(missing)
        else into.op("Equal", data, into.weight(missing))
    )
    values = into.weight(into.numbers("imputed_value_floats"))
    into.op("Where", found, values, data, output=into.node.output[0])


def normalizer(into: Replacement) -> None:
    """Rows divided by the sum of their values' sizes or length, rows of zeros as they are."""
    data = into.floats(into.node.input[0])
    if len(into.shape(data)) != _CLASSES:
        raise into.refusal("its input is no matrix")
    axis = into.weight([1], "int64")
    kind = into.text("norm", "MAX")
    if kind not in ("L1", "L2"):
        raise into.refusal(f"norm is {kind}")
    if kind == "L1":
        size = into.op("ReduceSum", into.op("Abs", data), axis, keepdims=1)
    else:
        size = into.op("Sqrt", into.op("ReduceSum", into.op("Mul", data, data), axis, keepdims=1))
    zero = into.op("Equal", size, into.weight(0))
    divisor = into.op("Where", zero, into.weight(1), size)
    into.op("Div", data, divisor, output=into.node.output[0])


def array_feature_extractor(into: Replacement) -> None:
    """The chosen places of the last dimension; a vector counts as one row."""
    data, places = into.node.input
    rank = len(into.shape(data))
    flat = into.op("Reshape", places, into.weight([-1], "int64"))
    if rank == 1 and into.is_only_flattened(into.node.output[0]):
        # Labels of rows: without a leading dimension of one, rows are seen to stay apart.
        into.op("Gather", data, flat, output=into.node.output[0], axis=0)
        return
    if rank == 1:
        data = into.op("Reshape", data, into.weight([1, -1], "int64"))
    into.op("Gather", data, flat, output=into.node.output[0], axis=max(rank - 1, 1))


def linear_regressor(into: Replacement) -> None:
    """Rows times weights^T + intercepts."""
    into.check(post_transform=("NONE",))
    targets = int(into.number("targets", 1))
    _product(into, "coefficients", targets, output=into.node.output[0])


def linear_classifier(into: Replacement) -> None:
    """Rows times weights^T + intercepts, the label of the greatest and all, transformed."""
    into.check(post_transform=_TRANSFORMS)
    into.absent("classlabels_strings")
    labels = np.asarray(into.numbers("classlabels_ints"), np.int64)
    intercepts = len(into.numbers("intercepts"))
    label, probabilities = into.node.output
    transform = into.text("post_transform", "NONE")
    if len(labels) == _CLASSES and intercepts == 1:
        score = _product(into, "coefficients", 1)
        if transform != "LOGISTIC":
            raise into.refusal(f"one row for two classes and post_transform {transform}")
        side_of(into, score, 0, labels, label)
        two_sided(into, score, probabilities)
        return
    if len(labels) < _CLASSES:
        raise into.refusal("it has fewer than two classes")
    scores = _product(into, "coefficients", len(labels))
    label_of(into, scores, labels, label)
    transformed(into, scores, transform, probabilities)


def transformed(into: Replacement, scores: str, transform: str, output: str) -> None:
    """Give `scores` after a `post_transform` that is NONE, LOGISTIC or SOFTMAX."""
    if transform == "SOFTMAX":
        into.op("Softmax", scores, output=output, axis=1)
    else:
        into.op("Sigmoid" if transform == "LOGISTIC" else "Identity", scores, output=output)


def two_sided(into: Replacement, score: str, output: str) -> None:
    """Give the two probabilities of one logistic score."""
    first = into.op("Sigmoid", into.op("Neg", score))
    into.op("Concat", first, into.op("Sigmoid", score), output=output, axis=1)


def _product(into: Replacement, coefficients: str, rows: int, output: str | None = None) -> str:
    data = into.floats(into.node.input[0])
    weights: Array = np.asarray(into.numbers(coefficients), np.float32)
    if rows < 1 or len(weights) == 0 or len(weights) % rows:
        raise into.refusal(f"{len(weights)} coefficients are no {rows} rows")
    intercepts = into.numbers("intercepts") or [0.0] * rows
    if len(intercepts) != rows:
        raise into.refusal(f"{len(intercepts)} intercepts for {rows} rows")
    if len(into.shape(data)) != _CLASSES:
        raise into.refusal("its input is no matrix")
    columns = np.ascontiguousarray(weights.reshape(rows, -1).T)
    return into.op("Gemm", data, into.weight(columns), into.weight(intercepts), output=output)
