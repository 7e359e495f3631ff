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
    DequantizeLinearOp,
    ExpandOp,
    GatherElementsOp,
    GatherOp,
    GemmOp,
    LpNormalizationOp,
    LpPoolOp,
    LrnOp,
    MatMulIntegerOp,
    MatMulOp,
    MaxPoolOp,
    MultiInputBinaryOp,
    PadOp,
    QLinearConvOp,
    QLinearMatMulOp,
    QuantizeLinearOp,
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
    counted as rows along the last axis that is no 1; ``taken`` counts elements of inputs, ``line``
    rounds of an inner loop along axes, ``term`` places of windows. Short rows, which the C compiler
    writes out, have prices of their own.
    """
    if isinstance(op, GatherOp | GatherElementsOp):
        return _gather(op, shape_of, dtype_of, constants)
    shapes = [shape_of(name) for name in op.input_names if name]
    outputs = [shape_of(name) for name in op.output_names if name]
    output = max(outputs, key=prod) if outputs else ()
    loops = [size for size in output if size != 1] or [1]
    taken = sum(map(prod, shapes))
    counts = {
        **rows(prod(loops[:-1]), loops[-1]),
        "taken": taken,
        "line": _lines(op, taken, prod(output), shapes),
        "term": _terms(op, sum(map(prod, outputs)), shape_of),
    }
    if loops[-1] <= _UNROLLED:
        counts = {f"short_{name}": count for name, count in counts.items()}
    what = _kind(op, shapes, output)
    functions = sum(map(prod, outputs)) if what.split(".")[-1] in _FUNCTIONS else 0
    kind = f"{what}{_along(op, shapes)}{_types(op, dtype_of)}.plain"
    return Work.of(kind, 0, functions, call=1, **counts)


def _along(op: Any, shapes: list[Shape]) -> str:  # noqa: ANN401
    """Tell what of an axis or of a norm changes the loops."""
    if isinstance(op, QuantizeLinearOp | DequantizeLinearOp):
        return ".channels" if prod(shapes[1]) > 1 else ""
    norm = f".p{op.p:.0f}" if isinstance(op, LpNormalizationOp | LpPoolOp) else ""
    axis = getattr(op, "axis", None)
    if isinstance(axis, int) and shapes and -len(shapes[0]) <= axis < len(shapes[0]):
        return norm + (".across" if prod(shapes[0][axis:][1:]) > 1 else "")
    return norm


def _lines(op: Any, taken: int, elements: int, shapes: list[Shape]) -> int:  # noqa: ANN401
    """Count the rounds of the inner loop of what goes along axes, or over windows."""
    if isinstance(op, ReduceOp) and op.axes and shapes:
        inner = [shapes[0][axis] for axis in sorted(op.axes) if shapes[0][axis] != 1]
        return elements * int(prod(inner[:-1]))
    if isinstance(op, ConvTransposeOp):
        places = int(op.batch) * prod(map(int, op.in_spatial)) * int(op.out_channels)
        return places * prod(map(int, op.kernel_shape))
    axis = getattr(op, "axis", None)
    if isinstance(axis, int) and shapes and -len(shapes[0]) <= axis < len(shapes[0]):
        return taken // max(shapes[0][axis], 1)
    return 0


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
        kind = f"gather.{_where(data, op.axis)}"
    known = op.indices in constants
    elements = prod(shape_of(op.output))
    size = f"known_{_written_out(count)}" if known else _written_out(count)
    counts = {size: elements}
    if ".rows" in kind:
        inner = prod(data[op.axis + 1 :])
        counts |= rows(elements // max(inner, 1), inner)
    fixed = ".fixed" if op.data in constants else ""
    return Work.of(f"{kind}{_types(op, dtype_of)}{fixed}.plain", call=1, **counts)


def _where(data: Shape, axis: int) -> str:
    """Tell the loops of a look-up; ``across``: an index is checked once for many rows."""
    if len(data) == 1:
        return "vector"
    if axis < len(data) - 1:
        return "rows"
    return "last" if prod(data[:-1]) == 1 else "across"


def _written_out(count: int) -> str:
    """Tell how the C compiler makes the two loops of a look-up, check and copy, of a known length.

    It writes out both, one or none of them.
    """
    return "tiny" if count <= _BOTH else "short" if count <= _ONE else "element"


def _kind(op: Any, shapes: list[Shape], output: Shape) -> str:  # noqa: ANN401 - untyped
    name = _WORD.sub("_", type(op).__name__.removesuffix("Op")).lower()
    how = _spread(shapes[:1] if isinstance(op, ExpandOp) else shapes, output)
    for kinds, more in _KINDS:
        if isinstance(op, kinds):
            return more(op).format(how=how)
    return f"where{how}" if isinstance(op, WhereOp) else name


_KINDS: Final[tuple[tuple[Any, Callable[[Any], str]], ...]] = (
    (UnaryOp, lambda op: f"unary.{op.function.name.lower()}"),
    (BinaryOp | MultiInputBinaryOp, lambda op: f"binary.{op.function.name.lower()}{{how}}"),
    (ReduceOp, lambda op: f"reduce.{op.reduce_kind}"),
    (ExpandOp, lambda _: "expand{how}"),
    (PadOp, lambda op: f"pad.{op.mode}"),
    (ResizeOp, lambda op: f"resize.{op.mode}.{op.coordinate_transformation_mode}"),
    (GemmOp, lambda op: f"gemm.a{int(op.trans_a)}.b{int(op.trans_b)}"),
)


def _spread(shapes: list[Shape], output: Shape) -> str:
    """Tell how inputs spread over the output: nothing where none does.

    Otherwise a letter for each: ``w`` is whole, ``r`` has the rows of the inner loop, ``s`` has one
    number for a round of it.
    """
    whole = _plain(output)
    axis = next((at for at in range(-1, -len(output) - 1, -1) if output[at] != 1), 0)
    letters = "".join(
        "w"
        if _plain(shape) == whole
        else "r"
        if axis and len(shape) >= -axis and shape[axis] == output[axis]
        else "s"
        for shape in shapes
    )
    return f".spread_{letters}" if set(letters) - {"w"} else ""


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
    if isinstance(op, LrnOp):
        seen = sum(
            min(at + op.half, op.channels - 1) - max(at - op.half, 0) + 1
            for at in range(op.channels)
        )
        return elements // int(op.channels) * int(seen)
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
)
