"""Calls of the kernels that work along axes: softmax, reductions, normalisations."""

from __future__ import annotations

import math

from emx_onnx_cgen.ir.ops import (
    BatchNormOp,
    GroupNormalizationOp,
    InstanceNormalizationOp,
    LayerNormalizationOp,
    LogSoftmaxOp,
    ReduceOp,
    RMSNormalizationOp,
    SoftmaxOp,
)

from caimi.inference.wasm.compiling.operators.c_text import (
    call,
    floats_from,
    floats_to,
    struct_text,
)
from caimi.inference.wasm.compiling.operators.strides import reduction
from caimi.inference.wasm.compiling.operators.tensor_types import TensorTypes

REDUCTIONS = {
    "sum": "sum",
    "mean": "mean",
    "max": "max",
    "min": "min",
    "sumsquare": "sum_square",
}


def softmax_call(op: SoftmaxOp | LogSoftmaxOp, tensors: TensorTypes) -> str | None:
    """Softmax and LogSoftmax; before opset 13 all axes from the given one count as one."""
    if not tensors.floats(op.input0, op.output):
        return None
    shape = tensors.shape(op.input0)
    default = 1 if op.use_legacy_axis_semantics else -1
    axis = (default if op.axis is None else op.axis) % len(shape)
    end = len(shape) if op.use_legacy_axis_semantics else axis + 1
    outer, size, inner = (math.prod(part) for part in (shape[:axis], shape[axis:end], shape[end:]))
    kernel = "caimi_softmax_f32" if isinstance(op, SoftmaxOp) else "caimi_log_softmax_f32"
    walk = struct_text("caimi_axis", outer, size, inner)
    return call(kernel, walk, floats_from(op.input0), floats_to(op.output))


def reduce_call(op: ReduceOp, tensors: TensorTypes) -> str | None:
    """Reductions over axes that are neighbours."""
    kernel = REDUCTIONS.get(op.reduce_kind)
    if kernel is None or op.axes_input is not None or not tensors.floats(op.input0, op.output):
        return None
    walk = reduction(tensors.shape(op.input0), op.axes)
    if walk is None:
        return None
    axis = struct_text("caimi_axis", *walk)
    return call(f"caimi_reduce_{kernel}_f32", axis, floats_from(op.input0), floats_to(op.output))


def layer_norm_call(op: LayerNormalizationOp, tensors: TensorTypes) -> str | None:
    """LayerNormalization without its statistics, scale and bias of the normalised shape."""
    if op.mean_output is not None or op.invstd_output is not None:
        return None
    factors = [name for name in (op.scale, op.bias) if name is not None]
    if not tensors.floats(op.input0, op.output, *factors):
        return None
    if any(tensors.count(name) != op.inner for name in factors):
        return None
    return call(
        "caimi_layer_norm_f32", op.outer, op.inner, float(op.epsilon),
        floats_from(op.input0), floats_from(op.scale), floats_from(op.bias), floats_to(op.output),
    )  # fmt: skip


def rms_norm_call(op: RMSNormalizationOp, tensors: TensorTypes) -> str | None:
    """RMSNormalization with a scale of the normalised shape."""
    if not tensors.floats(op.input0, op.scale, op.output) or tensors.count(op.scale) != op.inner:
        return None
    return call(
        "caimi_rms_norm_f32", op.outer, op.inner, float(op.epsilon),
        floats_from(op.input0), floats_from(op.scale), floats_to(op.output),
    )  # fmt: skip


def batch_norm_call(op: BatchNormOp, tensors: TensorTypes) -> str | None:
    """BatchNormalization as at inference."""
    if op.training_mode or op.running_mean is not None or op.running_variance is not None:
        return None
    factors = (op.scale, op.bias, op.mean, op.variance)
    if not tensors.floats(op.input0, op.output, *factors):
        return None
    batch, channels, *spatial = (*op.shape, 1) if len(op.shape) == 1 else op.shape
    return call(
        "caimi_batch_norm_f32", batch, channels, math.prod(spatial), float(op.epsilon),
        floats_from(op.input0), *map(floats_from, factors), floats_to(op.output),
    )  # fmt: skip


def group_norm_call(
    op: GroupNormalizationOp | InstanceNormalizationOp, tensors: TensorTypes
) -> str | None:
    """GroupNormalization and InstanceNormalization with a scale and bias for each channel."""
    groups = op.num_groups if isinstance(op, GroupNormalizationOp) else op.channels
    if not tensors.floats(op.input0, op.scale, op.bias, op.output):
        return None
    if {tensors.count(op.scale), tensors.count(op.bias)} != {op.channels}:
        return None
    return call(
        "caimi_group_norm_f32", op.shape[0], op.channels, groups, math.prod(op.shape[2:]),
        float(op.epsilon), floats_from(op.input0), floats_from(op.scale), floats_from(op.bias),
        floats_to(op.output),
    )  # fmt: skip
