"""Calls of the pooling kernels."""

from __future__ import annotations

import math
from dataclasses import dataclass

from emx_onnx_cgen.ir.ops import AveragePoolOp, MaxPoolOp

from caimi.inference.wasm.compiling.operators.c_text import (
    call,
    floats_from,
    floats_to,
    struct_text,
)
from caimi.inference.wasm.compiling.operators.tensor_types import TensorTypes


@dataclass(frozen=True)
class Window:
    """Pooling of images of up to two dimensions, rows first."""

    planes: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    begin: tuple[int, ...]
    end: tuple[int, ...]
    count_pad: bool = False

    def whole(self) -> bool:
        """Whether the one window is the image."""
        unpadded = not any(self.begin) and not any(self.end)
        single = all(size == 1 for size in (*self.outputs, *self.dilation))
        return unpadded and single and self.kernel == self.inputs

    def text(self) -> str:
        """The kernels' structure; a missing first dimension is a single row."""
        missing = 2 - len(self.inputs)
        ones, zeros = (1,) * missing, (0,) * missing
        return struct_text(
            "caimi_pool", self.planes,
            ones + self.inputs, ones + self.outputs, ones + self.kernel, ones + self.stride,
            ones + self.dilation, zeros + self.begin, zeros + self.end, int(self.count_pad),
        )  # fmt: skip


def max_pool_call(op: MaxPoolOp, tensors: TensorTypes) -> str | None:
    """MaxPool without indices, one or two dimensions."""
    rank = op.spatial_rank
    if op.indices is not None or rank > 2 or not tensors.floats(op.input0, op.output):
        return None
    window = Window(
        op.batch * op.channels, op.in_spatial, op.out_spatial, op.kernel_shape, op.strides,
        op.dilations, op.pads[:rank], op.pads[rank:],
    )  # fmt: skip
    return call("caimi_max_pool_f32", window.text(), floats_from(op.input0), floats_to(op.output))


def average_pool_call(op: AveragePoolOp, tensors: TensorTypes) -> str | None:
    """AveragePool of one or two dimensions; of any number where the window is the image."""
    if not tensors.floats(op.input0, op.output):
        return None
    dimensions = slice(3 - op.spatial_rank, None)
    window = Window(
        op.batch * op.channels,
        (op.in_d, op.in_h, op.in_w)[dimensions],
        (op.out_d, op.out_h, op.out_w)[dimensions],
        (op.kernel_d, op.kernel_h, op.kernel_w)[dimensions],
        (op.stride_d, op.stride_h, op.stride_w)[dimensions],
        (op.dilation_d, op.dilation_h, op.dilation_w)[dimensions],
        (op.pad_front, op.pad_top, op.pad_left)[dimensions],
        (op.pad_back, op.pad_bottom, op.pad_right)[dimensions],
        op.count_include_pad,
    )
    source, target = floats_from(op.input0), floats_to(op.output)
    if window.whole():
        rows = struct_text("caimi_axis", window.planes, math.prod(window.inputs), 1)
        return call("caimi_reduce_mean_f32", rows, source, target)
    if op.spatial_rank > 2:
        return None
    return call("caimi_average_pool_f32", window.text(), source, target)
