"""Work of operators that the generator's own loops do: elements, rows, windows."""

from __future__ import annotations

import re
from collections.abc import Callable, Container
from math import prod
from typing import Any, Final

from emx_onnx_cgen.ir.op_base import OpBase
from emx_onnx_cgen.ir.ops import (
    AveragePoolOp,
    BinaryOp,
    GatherElementsOp,
    GatherOp,
    MaxPoolOp,
    MultiInputBinaryOp,
    ReduceOp,
    UnaryOp,
    WhereOp,
)
from shared.scalar_types import ScalarType

from caimi.inference.wasm.fuel.kernels import rows
from caimi.inference.wasm.fuel.work import Shape, Work

_WORD: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_FUNCTIONS: Final = frozenset(
    {
        *("exp", "log", "sqrt", "erf", "tanh", "sigmoid", "gelu", "softplus", "pow", "mish"),
        *("sin", "cos", "tan", "sinh", "cosh", "asin", "acos", "atan", "asinh", "acosh", "atanh"),
        *("elu", "selu", "celu", "swish", "softmax"),
    }
)


def operator_work(
    op: OpBase,
    shape_of: Callable[[str], Shape],
    dtype_of: Callable[[str], ScalarType],
    constants: Container[str] = frozenset(),
) -> Work:
    """Give the work of one operator of the generator's intermediate form.

    The kind is the operator, what it computes, the element types, and ``plain``. Outputs are
    counted as rows along the last axis; ``taken`` counts elements of inputs, ``term`` places of
    windows.
    """
    if isinstance(op, GatherOp | GatherElementsOp):
        return _gather(op, shape_of, dtype_of, constants)
    shapes = [shape_of(name) for name in op.input_names if name]
    outputs = [shape_of(name) for name in op.output_names if name]
    output = max(outputs, key=prod) if outputs else ()
    length = output[-1] if output else 1
    counts = rows(prod(output[:-1]), length)
    counts["element"] = sum(map(prod, outputs))
    counts["taken"] = sum(map(prod, shapes))
    counts["term"] = _terms(op, counts["element"])
    what = _kind(op, shapes, outputs)
    functions = counts["element"] if what.split(".")[-1] in _FUNCTIONS else 0
    return Work.of(f"{what}{_types(op, dtype_of)}.plain", 0, functions, call=1, **counts)


def _gather(
    op: GatherOp | GatherElementsOp,
    shape_of: Callable[[str], Shape],
    dtype_of: Callable[[str], ScalarType],
    constants: Container[str],
) -> Work:
    """Count what is taken; indices that are constants are checked when the module is made."""
    data, count = shape_of(op.data), prod(shape_of(op.indices))
    kind = "gather_elements"
    if isinstance(op, GatherOp):
        where = "vector" if len(data) == 1 else "last" if op.axis == len(data) - 1 else "rows"
        kind = f"gather.{where}"
    known = op.indices in constants
    elements = prod(shape_of(op.output))
    return Work.of(
        f"{kind}{_types(op, dtype_of)}.plain",
        call=1,
        check=0 if known else count,
        element=0 if known else elements,
        known=elements if known else 0,
        row=elements // max(data[-1], 1) if kind == "gather.rows" else 0,
    )


def _kind(op: Any, shapes: list[Shape], outputs: list[Shape]) -> str:  # noqa: ANN401 - untyped
    name = _WORD.sub("_", type(op).__name__.removesuffix("Op")).lower()
    if isinstance(op, UnaryOp):
        return f"unary.{op.function.name.lower()}"
    how = "" if len({_plain(shape) for shape in (*shapes, *outputs)}) == 1 else ".spread"
    if isinstance(op, WhereOp):
        return f"where{how}"
    if isinstance(op, BinaryOp | MultiInputBinaryOp):
        return f"binary.{op.function.name.lower()}{how}"
    if isinstance(op, ReduceOp):
        return f"reduce.{op.reduce_kind}"
    return name


def _plain(shape: Shape) -> Shape:
    """Leave out leading ones, which change no loop."""
    first = next((axis for axis, size in enumerate(shape) if size != 1), len(shape))
    return shape[first:]


def _types(op: OpBase, dtype_of: Callable[[str], ScalarType]) -> str:
    used = [dtype_of(name) for name in (*op.input_names[:1], *op.output_names[:1]) if name]
    return "." + "_".join(kind.name.lower() for kind in dict.fromkeys(used))


def _terms(op: Any, elements: int) -> int:  # noqa: ANN401 - untyped
    if isinstance(op, MaxPoolOp):
        return elements * prod(map(int, op.kernel_shape))
    if isinstance(op, AveragePoolOp):
        return elements * int(op.kernel_d) * int(op.kernel_h) * int(op.kernel_w)
    return 0
