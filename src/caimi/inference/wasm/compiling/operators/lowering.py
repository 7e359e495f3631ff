"""Repairs of what the generator makes of recurrent operators and attention.

emx-onnx-cgen 1.4.0 takes text attributes of GRU and RNN for bytes, so that it refuses any stated
direction; its own loops write the states of a reversed direction in the order in which they were
computed, where ONNX wants the order of the input; and they take the first of a mask's three axes
for the batch, where ONNX broadcasts it to heads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from emx_onnx_cgen.ir.context import GraphContext
from emx_onnx_cgen.ir.model import Graph, Node
from emx_onnx_cgen.ir.op_base import OpBase
from emx_onnx_cgen.ir.ops import AttentionOp, GruOp, LstmOp, RnnOp
from emx_onnx_cgen.lowering import load_lowering_registry
from emx_onnx_cgen.lowering.registry import get_lowering_registry, register_lowering

Lowering = Callable[[Graph | GraphContext, Node], OpBase]


def repair_lowering() -> None:
    """Make the generator read text attributes of GRU and RNN as text. Calling it twice is fine."""
    load_lowering_registry()
    for kind in ("GRU", "RNN"):
        original = get_lowering_registry()[kind]
        if not isinstance(original, _Decoded):
            register_lowering(kind)(_Decoded(original))


class _Decoded:
    """A lowering whose node has text in place of bytes."""

    def __init__(self, original: Lowering) -> None:
        self._original = original

    def __call__(self, graph: Graph | GraphContext, node: Node) -> OpBase:
        return self._original(graph, replace(node, attrs=_as_text(node.attrs)))


def _as_text(attributes: Mapping[str, object]) -> dict[str, object]:
    return {
        name: value.decode() if isinstance(value, bytes) else value
        for name, value in attributes.items()
    }


def is_generated_wrong(op: OpBase) -> bool:
    """Whether the generator's own loops for an operator would give wrong answers."""
    if isinstance(op, AttentionOp):
        return op.mask_rank == 3 and not op.mask_broadcast_batch
    reversible = isinstance(op, GruOp | LstmOp | RnnOp)
    return reversible and op.direction != "forward" and op.output_y is not None
