"""Cases that have no right answer: what the standard leaves open, or one rounding decides, or an
oracle is known to be mistaken about."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, helper, numpy_helper

from onnx_fuzz.case import Case

_SQUARED = 1e15
"""What has a finite square as float32."""
_ROUNDING = 1e-4
"""How near a whole number a bin may be before the last bit of a logarithm decides."""


_EXPONENT = 11
"""Whose exponential a float16 holds."""
_TOLD = 2**53
"""Up to which float64, in which ONNX Runtime multiplies, tells whole numbers from others."""
_POWERS = {"ReduceProd": 1, "ReduceSum": 1, "ReduceSumSquare": 2}
"""Reductions of whole numbers that the compiler takes and that may overflow."""

_LOSSES = frozenset({"NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"})
_POOLS = frozenset({"AveragePool", "LpPool", "MaxPool"})
_NEWEST_BATCH_NORMALIZATION = 15
INFINITE = "what a normalisation makes of infinities is not settled"


def normalises(case: Case) -> bool:
    """Whether there is one among the operators, or a sum that takes every number with others.

    A batch normalisation that does not train has a factor for each number, which overflows in
    float16. ONNX Runtime multiplies by it before it subtracts, and of versions before the newest
    there is no other oracle.
    """
    folded = any(value.dtype == np.float16 for value in _numbers(case).values())
    folded |= case.model.opset_import[0].version < _NEWEST_BATCH_NORMALIZATION
    return any(
        node.op_type in ("DFT", "LRN")
        or (
            "Normalization" in node.op_type
            and (node.op_type != "BatchNormalization" or folded or _is_set(node, "training_mode"))
        )
        for node in case.model.graph.node
    )


def chosen(case: Case) -> Case:
    """Give the case as the compiler settles what is left open: it sorts what need not be sorted."""
    if case.operator != "TopK":
        return case
    model = ModelProto.FromString(case.model.SerializeToString())
    for node in model.graph.node:
        for entry in node.attribute:
            if node.op_type == "TopK" and entry.name == "sorted":
                entry.i = 1
    return replace(case, model=model)


def only_the_reference_knows(case: Case) -> bool:
    """Whether nothing is left of one number, of which ONNX Runtime keeps a rounding."""
    floats = [value for value in _numbers(case).values() if value.dtype.kind == "f"]
    return (
        case.operator == "InstanceNormalization"
        and any(value.ndim > 2 and value[0, 0].size == 1 for value in floats)
        and all(value.dtype != np.float16 for value in floats)
    )


def unmasked(case: Case, answer: list[Any]) -> list[Any]:
    """Give minus infinity for the lowest number that ONNX Runtime puts in place of masked scores.

    The standard masks by minus infinity (Attention, ``qk_matmul_output``), and so does the module.
    """
    if all(node.op_type != "Attention" for node in case.model.graph.node):
        return answer
    return [
        np.where(array == np.finfo(array.dtype).min, array.dtype.type(-np.inf), array)
        if isinstance(array, np.ndarray) and array.dtype.kind == "f"
        else array
        for array in answer
    ]


def unsettled(case: Case) -> str:
    """Say why a case has no right answer, nothing where it has one."""
    kind, numbers = case.operator, _numbers(case)
    floats = [value for value in numbers.values() if value.dtype.kind == "f"]
    if normalises(case) and not all(map(_is_squared, floats)):
        return INFINITE
    if kind in ("GRU", "LSTM", "RNN") and not all(np.isfinite(value).all() for value in floats):
        return "what a gate makes of infinities is not settled"
    if kind in ("Cast", "CastLike") and not _fits(case, floats):
        return "what becomes of numbers out of range is not settled"
    if kind == "Softplus" and any(
        value.dtype == np.float16 and (value > _EXPONENT).any() for value in floats
    ):
        return "ONNX Runtime overflows in float16"
    if kind in _POWERS and not _fits_reduced(kind, numbers):
        return "whole numbers that overflow"
    if kind == "ReduceProd" and not all(map(_has_a_product, floats)):
        return "products of which a part is infinite and another zero"
    if kind in _LOSSES and not _names_classes(case, numbers):
        return "targets that are no classes"
    shifts = kind == "LpPool" or any(value.dtype == np.float16 for value in floats)
    if kind in _POOLS and shifts and _pads_less_than_nothing(case):
        return "ONNX Runtime shifts the windows, and the reference is mistaken about others"
    if kind == "MelWeightMatrix" and not _has_bins(case, numbers):
        return "bins of no frequency, or on an edge"
    return ""


def _is_set(node: NodeProto, name: str) -> bool:
    return any(entry.name == name and entry.i for entry in node.attribute)


def _numbers(case: Case) -> dict[str, Any]:
    """Give every array that is put in: inputs, initializers and constants."""
    found = {name: np.asarray(value) for name, value in case.inputs.items()}
    found |= {tensor.name: numpy_helper.to_array(tensor) for tensor in case.model.graph.initializer}
    for node in case.model.graph.node:
        for entry in node.attribute:
            if node.op_type == "Constant" and entry.name == "value":
                found[node.output[0]] = numpy_helper.to_array(entry.t)
    return found


def _is_squared(value: Any) -> bool:
    return bool((np.abs(value.astype(np.float64)) < _SQUARED).all())


def _fits(case: Case, floats: list[Any]) -> bool:
    """Whether a cast to whole numbers finds a place for each, where it is one to them."""
    kinds = [value.type.tensor_type.elem_type for value in case.model.graph.output]
    whole = [
        np.iinfo(dtype)
        for dtype in map(helper.tensor_dtype_to_np_dtype, kinds)
        if dtype.kind in "iu"
    ]
    return all(
        bool(((value > limits.min - 1.0) & (value < limits.max + 1.0)).all())
        for limits in whole
        for value in (each.astype(np.float64) for each in floats)
    )


def _has_a_product(value: Any) -> bool:
    """Whether no order of multiplying meets infinity times zero, which the numbers do not have."""
    sizes = np.abs(value.astype(np.longdouble))
    limits = np.finfo(value.dtype)
    with np.errstate(all="ignore"):
        large, small = np.prod(np.maximum(sizes, 1)), np.prod(np.minimum(sizes, 1))
    return not (large > limits.max and small < limits.tiny)


def _fits_reduced(kind: str, numbers: dict[str, Any]) -> bool:
    """Whether whole numbers have a sum, or product, within their type and told from others."""
    whole = [v.astype(np.float64) for v in numbers.values() if v.dtype.kind in "iu" and v.size]
    bounds = [np.iinfo(v.dtype).max for v in numbers.values() if v.dtype.kind in "iu" and v.size]
    with np.errstate(all="ignore"):
        most = [
            np.prod(np.maximum(np.abs(v), 1))
            if kind == "ReduceProd"
            else np.sum(np.abs(v) ** _POWERS[kind])
            for v in whole
        ]
    return all(size < min(bound, _TOLD) for size, bound in zip(most, bounds, strict=True))


def _names_classes(case: Case, numbers: dict[str, Any]) -> bool:
    """Whether every target is a class, or the one that is passed over."""
    node = next(node for node in case.model.graph.node if node.op_type in _LOSSES)
    ignored = [entry.i for entry in node.attribute if entry.name == "ignore_index"]
    scores, targets = (numbers.get(name) for name in node.input[:2])
    if scores is None or targets is None:
        return False
    return bool((np.isin(targets, ignored) | (targets >= 0) & (targets < scores.shape[1])).all())


def _pads_less_than_nothing(case: Case) -> bool:
    """Whether windows that keep an image's size, SAME_UPPER, are smaller than their steps."""
    for node in case.model.graph.node:
        given = {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}
        sizes, steps = given.get("kernel_shape", []), given.get("strides", [])
        small = any(size < step for size, step in zip(sizes, steps, strict=False))
        if given.get("auto_pad") == b"SAME_UPPER" and small:
            return True
    return False


def _has_bins(case: Case, numbers: dict[str, Any]) -> bool:
    """Whether the edges are frequencies in order, and no bin is within rounding of the next."""
    node = next(node for node in case.model.graph.node if node.op_type == "MelWeightMatrix")
    if not all(name in numbers for name in node.input):
        return False  # computed in the graph
    bins, length, rate, low, high = (float(numbers[name].reshape(-1)[0]) for name in node.input)
    if not 0 <= low < high <= rate / 2:
        return False
    mel = np.linspace(*(2595 * np.log10(1 + edge / 700) for edge in (low, high)), int(bins) + 2)
    places = (length + 1) * 700 * (10 ** (mel / 2595) - 1) / rate
    near = np.abs(places - np.round(places)) < _ROUNDING * np.maximum(1, places)
    return not near[1:].any() and (low == 0 or not near[0])
