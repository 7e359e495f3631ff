"""Values of operators on constants, where every machine gives the same bits.

Sizes, axes and paddings are computed from constants by most exporters. What is evaluated here is
exact: elements moved, whole numbers, comparisons, and the float32 and float64 arithmetic that IEEE
754 rounds in one way. Sums, exponentials and their like are left to the module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from onnx import NodeProto, OperatorSetIdProto, helper
from onnx.reference import ReferenceEvaluator

from caimi.inference.tensors import Array

MAX_WHOLE: Final = 1 << 16
"""Elements of a value of whole numbers or truth values: it is text in the module's code."""
MAX_FLOATS: Final = 1 << 10
_MOVES: Final = frozenset(
    {
        *("Concat", "ConstantOfShape", "Expand", "Flatten", "Gather", "GatherElements", "GatherND"),
        *("Identity", "NonZero", "Pad", "Range", "Reshape", "ScatterElements"),
        *("ScatterND", "Slice", "Split", "Squeeze", "Tile", "Transpose", "Trilu", "Unsqueeze"),
        *("Where", "Cast", "CastLike", "EyeLike"),
    }
)
_ELEMENTWISE: Final = frozenset(
    {
        *("Abs", "Add", "And", "Ceil", "Div", "Equal", "Floor", "Greater", "GreaterOrEqual"),
        *("Less", "LessOrEqual", "Max", "Min", "Mul", "Neg", "Not", "Or", "Sign", "Sqrt", "Sub"),
        "Xor",
    }
)
_WHOLE_ONLY: Final = frozenset(
    {"CumSum", "Mod", "Range", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceSum"}
)
_KINDS: Final = frozenset({"float32", "float64", "int32", "int64", "bool", "int8", "uint8"})


def is_exact(node: NodeProto) -> bool:
    """Tell whether an operator on constants has a value that `evaluate` may give."""
    return not node.domain and node.op_type in _MOVES | _ELEMENTWISE | _WHOLE_ONLY


def fits(array: Array) -> bool:
    """Tell whether a value is of a kind and a size that are kept."""
    most = MAX_FLOATS if array.dtype.kind == "f" else MAX_WHOLE
    return array.dtype.name in _KINDS and array.size <= most


def evaluate(
    node: NodeProto, inputs: Mapping[str, Array], opsets: Sequence[OperatorSetIdProto]
) -> tuple[Array, ...] | None:
    """Give the outputs of an operator that `is_exact`; None where the value is not exact after all.

    Its outputs must be known to be small: nothing bounds them here.
    """
    values = [inputs[name] for name in node.input if name]
    kinds = {value.dtype.name for value in values}
    whole = all(value.dtype.kind in "iub" for value in values)
    if not kinds <= _KINDS or (node.op_type in _WHOLE_ONLY and not whole):
        return None
    results = _own(node, values) if _is_own(node, whole) else _referred(node, inputs, opsets)
    return results if results and all(_is_plain(result) for result in results) else None


def _is_own(node: NodeProto, whole: bool) -> bool:
    """Tell whether the standard's reference is not followed, where others differ from it."""
    return (node.op_type == "Slice" and len(node.input) > 1) or (node.op_type == "Div" and whole)


def _own(node: NodeProto, values: Sequence[Array]) -> tuple[Array, ...] | None:
    return _sliced(*values) if node.op_type == "Slice" else _quotient(*values)


def _referred(
    node: NodeProto, inputs: Mapping[str, Array], opsets: Sequence[OperatorSetIdProto]
) -> tuple[Array, ...] | None:
    """Give what the standard's reference gives."""
    first = inputs.get(node.input[0]) if node.input else None
    if node.op_type == "Mod" and (not np.all(inputs[node.input[1]]) or _has(node, "fmod")):
        return None
    try:
        with np.errstate(all="ignore"):
            found = _by_reference(node, inputs, opsets)
    except Exception:  # whatever it is that the reference does not take, the generator sees
        return None
    results = tuple(np.asarray(value) for value in found)
    if node.op_type == "Cast" and first is not None and not _is_safe_cast(first, results[0]):
        return None
    return results


def _by_reference(
    node: NodeProto, inputs: Mapping[str, Array], opsets: Sequence[OperatorSetIdProto]
) -> list[Any]:
    """Run the standard's reference on one operator."""
    empty = [
        helper.make_tensor_value_info(name, 0, None) for name in dict.fromkeys(node.input) if name
    ]
    outputs = [helper.make_tensor_value_info(name, 0, None) for name in node.output if name]
    graph = helper.make_graph([node], "one", empty, outputs)
    model = helper.make_model(graph, opset_imports=list(opsets))
    given = {name: inputs[name] for name in node.input if name}
    return list(ReferenceEvaluator(model).run(None, given))


def _quotient(left: Array, right: Array) -> tuple[Array, ...] | None:
    """Divide whole numbers towards zero, as ONNX Runtime and the generator do."""
    if left.dtype != right.dtype or left.dtype.kind not in "iu" or not np.all(right):
        return None
    if np.any(left == _limits(left)[0]) and np.any(right == -1):
        return None
    a, b = np.broadcast_arrays(left, right)
    down = a // b
    return (np.asarray(down + ((down < 0) & (down * b != a)), left.dtype),)


def _sliced(
    data: Array, starts: Array, ends: Array, axes: Array | None = None, steps: Array | None = None
) -> tuple[Array, ...] | None:
    """Slice by the standard's clamping of bounds, which NumPy's is not where it steps backwards."""
    every = axes if axes is not None else np.arange(len(starts))
    strides = steps if steps is not None else np.ones(len(starts), np.int64)
    if not np.all(strides):
        return None
    for start, end, axis, step in zip(starts, ends, every, strides, strict=True):
        places = sliced_places(int(start), int(end), int(step), data.shape[int(axis)])
        data = np.take(data, np.array(places, np.int64), int(axis))
    return (data,)


def sliced_places(start: int, end: int, step: int, size: int) -> range:
    """Give the places that a slice of an axis takes, bounds clamped as operator Slice says."""
    first = start + size if start < 0 else start
    last = end + size if end < 0 else end
    if step < 0:
        return range(min(max(first, 0), size - 1), min(max(last, -1), size - 1), step)
    return range(min(max(first, 0), size), min(max(last, 0), size), step)


def _limits(whole: Array) -> tuple[int, int]:
    dtype: Any = whole.dtype
    limits = np.iinfo(dtype)
    return int(limits.min), int(limits.max)


def _has(node: NodeProto, name: str) -> bool:
    return any(a.name == name and a.i for a in node.attribute)


def _is_safe_cast(before: Array, after: Array) -> bool:
    """Refuse floats that no whole number of the type stands for: machines differ on those."""
    if before.dtype.kind != "f" or after.dtype.kind not in "iu":
        return True
    least, most = map(float, _limits(after))
    wide = before.astype(np.float64)
    return bool(np.all((wide > least) & (wide < most)))


def _is_plain(result: Array) -> bool:
    return fits(result) and not (result.dtype.kind == "f" and bool(np.any(np.isnan(result))))
