"""Calls of the attention kernel."""

from __future__ import annotations

from emx_onnx_cgen.ir.ops import AttentionOp

from caimi.inference.wasm.compiling.operators.c_text import (
    call,
    floats_from,
    floats_to,
    struct_text,
)
from caimi.inference.wasm.compiling.operators.strides import Shape, broadcast_strides
from caimi.inference.wasm.compiling.operators.tensor_types import TensorTypes

MAX_KEYS = 8192
"""CAIMI_MAX_KEYS of the kernels."""


def attention_call(op: AttentionOp, tensors: TensorTypes) -> str | None:
    """Attention without a cache, soft cap or second output; its mask may broadcast."""
    if any((op.input_past_key, op.input_past_value, op.input_nonpad_kv_seqlen, op.softcap)):
        return None
    if any((op.output_present_key, op.output_present_value, op.output_qk_matmul)):
        return None
    if not tensors.floats(op.input_q, op.input_k, op.input_v, op.output):
        return None
    if op.kv_seq > MAX_KEYS:
        return None
    mask = _mask_strides(op, tensors)
    if mask is None:
        return None
    walk = struct_text(
        "caimi_attention", op.batch, op.q_heads, op.kv_heads, op.q_seq, op.kv_seq,
        op.qk_head_size, op.v_head_size, int(op.is_causal),
        _strides(op.q_rank, op.q_heads, op.q_seq, op.qk_head_size),
        _strides(op.k_rank, op.kv_heads, op.kv_seq, op.qk_head_size),
        _strides(op.v_rank, op.kv_heads, op.kv_seq, op.v_head_size),
        _strides(op.output_rank, op.q_heads, op.q_seq, op.v_head_size),
        mask[:3], mask[3],
    )  # fmt: skip
    bias = None if op.mask_is_bool else op.input_attn_mask
    keep = op.input_attn_mask if op.mask_is_bool else None
    return call(
        "caimi_attention_f32", walk, float(op.scale), floats_from(op.input_q),
        floats_from(op.input_k), floats_from(op.input_v), floats_from(bias),
        f"(const uint8_t *){keep or 0}", floats_to(op.output),
    )  # fmt: skip


def _strides(rank: int, heads: int, rows: int, size: int) -> tuple[int, int, int]:
    """Of batches, heads and rows: heads before rows in four dimensions, within rows in three."""
    if rank == 4:
        return heads * rows * size, rows * size, size
    return rows * heads * size, size, heads * size


def _mask_strides(op: AttentionOp, tensors: TensorTypes) -> tuple[int, ...] | None:
    if op.input_attn_mask is None:
        return 0, 0, 0, 0
    if not op.mask_is_bool and not tensors.floats(op.input_attn_mask):
        return None
    shape, scores = tensors.shape(op.input_attn_mask), _scores(op)
    return broadcast_strides(shape, scores) if _broadcasts(shape, scores) else None


def _scores(op: AttentionOp) -> Shape:
    return op.batch, op.q_heads, op.q_seq, op.kv_seq


def _broadcasts(shape: Shape, target: Shape) -> bool:
    pairs = zip(reversed(shape), reversed(target), strict=False)
    return len(shape) <= len(target) and all(size in (1, full) for size, full in pairs)
