"""The kernel call that computes one operator of the generator's intermediate form, if there is one.

The kernels and their semantics are in `kernels/caimi_operators.h`.
"""

from __future__ import annotations

from collections.abc import Callable

from emx_onnx_cgen.ir import ops
from emx_onnx_cgen.ir.op_base import OpBase
from shared.scalar_types import ScalarType

from caimi.inference.wasm.compiling.operators import (
    attention,
    axes,
    copies,
    pointwise,
    recurrent,
    windows,
)
from caimi.inference.wasm.compiling.operators.tensor_types import TensorTypes

CALLS: dict[type[OpBase], Callable[..., str | None]] = {
    ops.UnaryOp: pointwise.unary_call,
    ops.ClipOp: pointwise.clip_call,
    ops.BinaryOp: pointwise.binary_call,
    ops.PowOp: pointwise.binary_call,
    ops.MultiInputBinaryOp: pointwise.variadic_call,
    ops.SoftmaxOp: axes.softmax_call,
    ops.LogSoftmaxOp: axes.softmax_call,
    ops.ReduceOp: axes.reduce_call,
    ops.LayerNormalizationOp: axes.layer_norm_call,
    ops.RMSNormalizationOp: axes.rms_norm_call,
    ops.BatchNormOp: axes.batch_norm_call,
    ops.GroupNormalizationOp: axes.group_norm_call,
    ops.InstanceNormalizationOp: axes.group_norm_call,
    ops.MaxPoolOp: windows.max_pool_call,
    ops.AveragePoolOp: windows.average_pool_call,
    ops.TransposeOp: copies.transpose_call,
    ops.DepthToSpaceOp: copies.depth_to_space_call,
    ops.SpaceToDepthOp: copies.space_to_depth_call,
    ops.SliceOp: copies.slice_call,
    ops.ExpandOp: copies.expand_call,
    ops.TileOp: copies.tile_call,
    ops.ConcatOp: copies.concat_call,
    ops.SplitOp: copies.split_call,
    ops.PadOp: copies.pad_call,
    ops.AttentionOp: attention.attention_call,
    ops.GruOp: recurrent.gru_call,
    ops.LstmOp: recurrent.lstm_call,
    ops.RnnOp: recurrent.rnn_call,
}


def operator_call(
    op: OpBase,
    shape_of: Callable[[str], tuple[int, ...]],
    dtype_of: Callable[[str], ScalarType],
) -> str | None:
    """C statements that compute `op`, or None where no kernel covers it.

    Tensors are named as in `op` (arrays or pointers in the generated code). Inputs are read and
    outputs written whole; pointwise kernels, softmax and normalisations may work in place.
    """
    make = CALLS.get(type(op))
    return None if make is None else make(op, TensorTypes(shape_of, dtype_of))
