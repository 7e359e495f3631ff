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
    ConvIntegerOp,
    ConvOp,
    ConvTransposeOp,
    GatherElementsOp,
    GatherOp,
    GemmOp,
    LpPoolOp,
    LrnOp,
    MatMulIntegerOp,
    MatMulOp,
    MaxPoolOp,
    MultiInputBinaryOp,
    PadOp,
    QLinearConvOp,
    QLinearMatMulOp,
    ReduceOp,
    ResizeOp,
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


_UNROLLED: Final = 16
"""Elements up to which the C compiler writes a simple loop out."""
_BOTH, _ONE = 14, 24


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
    counts["short"] = counts["element"] if length <= _UNROLLED else 0
    counts["taken"] = sum(map(prod, shapes))
    counts["term"] = _terms(op, counts["element"], shape_of)
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
    size = "known" if known else _written_out(count)
    counts = {size: elements, "row": elements // max(data[-1], 1) if ".rows" in kind else 0}
    fixed = ".fixed" if op.data in constants else ""
    return Work.of(f"{kind}{_types(op, dtype_of)}{fixed}.plain", call=1, **counts)


def _written_out(count: int) -> str:
    """Tell how the C compiler makes the two loops of a look-up, check and copy, of a known length.

    It writes out both, one or none of them.
    """
    return "tiny" if count <= _BOTH else "short" if count <= _ONE else "element"


def _kind(op: Any, shapes: list[Shape], outputs: list[Shape]) -> str:  # noqa: ANN401 - untyped
    name = _WORD.sub("_", type(op).__name__.removesuffix("Op")).lower()
    how = "" if len({_plain(shape) for shape in (*shapes, *outputs)}) == 1 else ".spread"
    for kinds, more in _KINDS:
        if isinstance(op, kinds):
            return more(op).format(how=how)
    return f"where{how}" if isinstance(op, WhereOp) else name


_KINDS: Final[tuple[tuple[Any, Callable[[Any], str]], ...]] = (
    (UnaryOp, lambda op: f"unary.{op.function.name.lower()}"),
    (BinaryOp | MultiInputBinaryOp, lambda op: f"binary.{op.function.name.lower()}{{how}}"),
    (ReduceOp, lambda op: f"reduce.{op.reduce_kind}"),
    (PadOp, lambda op: f"pad.{op.mode}"),
    (ResizeOp, lambda op: f"resize.{op.mode}.{op.coordinate_transformation_mode}"),
    (GemmOp, lambda op: f"gemm.a{int(op.trans_a)}.b{int(op.trans_b)}"),
)


def _plain(shape: Shape) -> Shape:
    """Leave out leading ones, which change no loop."""
    first = next((axis for axis, size in enumerate(shape) if size != 1), len(shape))
    return shape[first:]


def _types(op: OpBase, dtype_of: Callable[[str], ScalarType]) -> str:
    used = [dtype_of(name) for name in (*op.input_names[:1], *op.output_names[:1]) if name]
    return "." + "_".join(kind.name.lower() for kind in dict.fromkeys(used))


def _terms(op: Any, elements: int, shape_of: Callable[[str], Shape]) -> int:  # noqa: ANN401
    """Count places of windows, and multiply-adds of products that no kernel of ours takes."""
    for kinds, count in _TERMS:
        if isinstance(op, kinds):
            return elements * int(count(op, shape_of))
    if isinstance(op, ConvTransposeOp):
        taken = int(op.batch) * int(op.in_channels) * prod(map(int, op.in_spatial))
        return taken * (int(op.out_channels) // int(op.group)) * prod(map(int, op.kernel_shape))
    return 0


_TERMS: Final[tuple[tuple[Any, Callable[[Any, Callable[[str], Shape]], int]], ...]] = (
    (MaxPoolOp | LpPoolOp, lambda op, _: prod(map(int, op.kernel_shape))),
    (AveragePoolOp, lambda op, _: op.kernel_d * op.kernel_h * op.kernel_w),
    (
        ConvOp | ConvIntegerOp | QLinearConvOp,
        lambda op, _: op.in_channels // op.group * prod(map(int, op.kernel_shape)),
    ),
    (MatMulIntegerOp | QLinearMatMulOp, lambda op, _: op.k),
    (GemmOp, lambda op, shape_of: shape_of(op.input_a)[0 if op.trans_a else -1]),
    (MatMulOp, lambda op, shape_of: shape_of(op.input0)[-1]),
    (LrnOp, lambda op, _: op.size),
)
