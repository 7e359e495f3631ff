"""Calls of the kernel that copies between strided views: transpositions, slices and their like."""

from __future__ import annotations

import math

from emx_onnx_cgen.ir.ops import (
    ConcatOp,
    DepthToSpaceOp,
    ExpandOp,
    PadOp,
    SliceOp,
    SpaceToDepthOp,
    SplitOp,
    TileOp,
    TransposeOp,
)
from shared.scalar_types import ScalarType

from caimi.inference.wasm.compiling.operators.c_text import (
    call,
    float_text,
    lines,
    struct_text,
    words_from,
    words_to,
)
from caimi.inference.wasm.compiling.operators.strides import (
    Shape,
    broadcast_strides,
    columns,
    merged,
    strides,
)
from caimi.inference.wasm.compiling.operators.tensor_types import TensorTypes


def _copy(sizes: Shape, source: str, read: Shape, target: str, written: Shape) -> str | None:
    axes = merged(sizes, read, written)
    if axes is None:
        return None
    return call("caimi_copy_32", struct_text("caimi_view", *columns(axes)), source, target)


def transpose_call(op: TransposeOp, tensors: TensorTypes) -> str | None:
    """Transpose of any permutation."""
    return _transposed(op, tensors.shape(op.input0), op.perm, tensors)


def depth_to_space_call(op: DepthToSpaceOp, tensors: TensorTypes) -> str | None:
    """DepthToSpace in both modes: a transposition of channels split in three."""
    batch, channels, rows, columns = tensors.shape(op.input0)
    block = op.blocksize
    left = channels // block**2
    if op.mode == "DCR":
        shape, order = (batch, block, block, left, rows, columns), (0, 3, 4, 1, 5, 2)
    else:
        shape, order = (batch, left, block, block, rows, columns), (0, 1, 4, 2, 5, 3)
    return _transposed(op, shape, order, tensors)


def space_to_depth_call(op: SpaceToDepthOp, tensors: TensorTypes) -> str | None:
    """SpaceToDepth: a transposition of rows and columns split in two."""
    batch, channels, rows, columns = tensors.shape(op.input0)
    block = op.blocksize
    shape = (batch, channels, rows // block, block, columns // block, block)
    return _transposed(op, shape, (0, 3, 5, 1, 2, 4), tensors)


def _transposed(
    op: TransposeOp | DepthToSpaceOp | SpaceToDepthOp,
    shape: Shape,
    order: Shape,
    tensors: TensorTypes,
) -> str | None:
    if not tensors.words(op.input0, op.output):
        return None
    read = strides(shape)
    sizes = [shape[axis] for axis in order]
    walked = [read[axis] for axis in order]
    return _copy(sizes, words_from(op.input0), walked, words_to(op.output), strides(sizes))


def slice_call(op: SliceOp, tensors: TensorTypes) -> str | None:
    """Slice with constant bounds and positive steps."""
    if op.starts is None or op.steps is None or not tensors.words(op.input0, op.output):
        return None
    read = strides(tensors.shape(op.input0))
    sizes = tensors.shape(op.output)
    offset = sum(start * step for start, step in zip(op.starts, read, strict=True))
    walked = [every * step for every, step in zip(op.steps, read, strict=True)]
    source = words_from(op.input0, offset)
    return _copy(sizes, source, walked, words_to(op.output), strides(sizes))


def expand_call(op: ExpandOp, tensors: TensorTypes) -> str | None:
    """Expand to a static shape."""
    if not tensors.words(op.input0, op.output):
        return None
    sizes = tensors.shape(op.output)
    walked = broadcast_strides(tensors.shape(op.input0), sizes)
    return _copy(sizes, words_from(op.input0), walked, words_to(op.output), strides(sizes))


def tile_call(op: TileOp, tensors: TensorTypes) -> str | None:
    """Tile: each axis as repetitions of the whole."""
    if not tensors.words(op.input0, op.output):
        return None
    shape, target = tensors.shape(op.input0), tensors.shape(op.output)
    sizes: list[int] = []
    walked: list[int] = []
    for size, full, step in zip(shape, target, strides(shape), strict=True):
        sizes += [full // size, size]
        walked += [0, step]
    return _copy(sizes, words_from(op.input0), walked, words_to(op.output), strides(sizes))


def concat_call(op: ConcatOp, tensors: TensorTypes) -> str | None:
    """Concat: one copy for each input."""
    inputs = [name for name in op.inputs if math.prod(tensors.shape(name))]
    if not inputs or not tensors.words(*inputs, op.output):
        return None
    written = strides(tensors.shape(op.output))
    axis = op.axis % len(written)
    at = 0
    copies: list[str | None] = []
    for name in inputs:
        sizes = tensors.shape(name)
        target = words_to(op.output, at * written[axis])
        copies.append(_copy(sizes, words_from(name), strides(sizes), target, written))
        at += sizes[axis]
    return _all(copies)


def split_call(op: SplitOp, tensors: TensorTypes) -> str | None:
    """Split: one copy for each output."""
    outputs = [name for name in op.outputs if math.prod(tensors.shape(name))]
    if not outputs or not tensors.words(op.input0, *outputs):
        return None
    read = strides(tensors.shape(op.input0))
    axis = op.axis % len(read)
    at = 0
    copies: list[str | None] = []
    for name in outputs:
        sizes = tensors.shape(name)
        source = words_from(op.input0, at * read[axis])
        copies.append(_copy(sizes, source, read, words_to(name), strides(sizes)))
        at += sizes[axis]
    return _all(copies)


def _all(copies: list[str | None]) -> str | None:
    whole = [copy for copy in copies if copy is not None]
    return lines(whole) if len(whole) == len(copies) else None


def pad_call(op: PadOp, tensors: TensorTypes) -> str | None:
    """Pad with a constant, widths constant and not negative: a fill, then a copy."""
    begin, end = op.pads_begin, op.pads_end
    if op.mode != "constant" or begin is None or end is None or min((*begin, *end), default=0) < 0:
        return None
    if not tensors.words(op.input0, op.output):
        return None
    sizes, written = tensors.shape(op.input0), strides(tensors.shape(op.output))
    offset = sum(width * step for width, step in zip(begin, written, strict=True))
    target = words_to(op.output, offset)
    copy = _copy(sizes, words_from(op.input0), strides(sizes), target, written)
    if copy is None:
        return None
    value = _pad_value(op, tensors)
    fill = call("caimi_fill_32", tensors.count(op.output), value, words_to(op.output))
    return lines((fill, copy))


def _pad_value(op: PadOp, tensors: TensorTypes) -> str:
    if op.value_input is not None:
        return words_from(op.value_input)
    dtype = tensors.dtype(op.output)
    value = float_text(op.value) if dtype == ScalarType.F32 else str(int(op.value))
    return f"&(const {dtype.c_type}){{{value}}}"
