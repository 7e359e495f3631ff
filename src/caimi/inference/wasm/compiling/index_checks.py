"""Checks that indices in a tensor are in range, before an operator uses them.

The generator's code takes indices as they come; out of range, an operator would read what another
tensor left in memory and give a wrong answer without a sign.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from emx_onnx_cgen.ir.op_base import OpBase
from emx_onnx_cgen.ir.ops import (
    GatherElementsOp,
    GatherNDOp,
    GatherOp,
    ScatterElementsOp,
    ScatterNDOp,
    ScatterOp,
)
from shared.scalar_types import ScalarType

Shape = tuple[int, ...]


def index_checks(
    op: OpBase, shape: Callable[[str], Shape], dtype: Callable[[str], ScalarType]
) -> list[str]:
    """Give the C statements that return CAIMI_INDEX_OUT_OF_RANGE where an index is."""
    if isinstance(op, GatherOp | GatherElementsOp | ScatterElementsOp | ScatterOp):
        limits = [shape(op.data)[op.axis]]
    elif isinstance(op, GatherNDOp):
        depth = shape(op.indices)[-1]
        limits = list(shape(op.data)[op.batch_dims : op.batch_dims + depth])
    elif isinstance(op, ScatterNDOp):
        limits = list(shape(op.data)[: shape(op.indices)[-1]])
    else:
        return []
    kind = "i64" if dtype(op.indices) == ScalarType.I64 else "i32"
    count = prod(shape(op.indices))
    listed = ", ".join(map(str, limits))
    arguments = f"(const void *){op.indices}, {count}, limits, {len(limits)}"
    return [
        f"static const int32_t limits[] = {{{listed}}};",
        f"if (!caimi_indices_fit_{kind}({arguments})) return CAIMI_INDEX_OUT_OF_RANGE;",
    ]
