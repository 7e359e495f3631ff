"""Repairs of what the generator makes of recurrent operators and attention.

emx-onnx-cgen 1.4.0 takes text attributes of GRU and RNN for bytes, so that it refuses any stated
direction; its own loops write the states of a reversed direction in the order in which they were
computed, where ONNX wants the order of the input; and they take the first of a mask's three axes
for the batch, where ONNX broadcasts it to heads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

import onnx
from emx_onnx_cgen.errors import UnsupportedOpError
from emx_onnx_cgen.ir.context import GraphContext
from emx_onnx_cgen.ir.model import Graph, Node
from emx_onnx_cgen.ir.op_base import OpBase
from emx_onnx_cgen.ir.ops import AttentionOp, GruOp, LstmOp, RnnOp
from emx_onnx_cgen.lowering import load_lowering_registry
from emx_onnx_cgen.lowering.registry import get_lowering_registry, register_lowering

Lowering = Callable[[Graph | GraphContext, Node], OpBase]
_UNTOLD: Final[Mapping[str, frozenset[str]]] = {
    "DequantizeLinear": frozenset({"axis"}),
    "Dropout": frozenset({"ratio", "seed"}),
    "QuantizeLinear": frozenset({"axis"}),
    "Split": frozenset({"split"}),  # its sizes are those of the outputs, which are compared
    "TreeEnsemble": frozenset({"nodes_hitrates"}),
}
"""Attributes that change nothing of what is computed where they are not read, by operator."""


def repair_lowering() -> None:
    """Make the generator read text attributes of GRU and RNN as text, and refuse an attribute that
    it would pass over. Calling it twice is fine.
    """
    load_lowering_registry()
    for kind, original in list(get_lowering_registry().items()):
        if not isinstance(original, _Watched):
            decoded = _Decoded(original) if kind in ("GRU", "RNN") else original
            register_lowering(kind)(_Watched(decoded))


class _Watched:
    """A lowering that must read every attribute which its node has, or the node is refused."""

    def __init__(self, original: Lowering) -> None:
        self._original = original

    def __call__(self, graph: Graph | GraphContext, node: Node) -> OpBase:
        attributes = _Read(node.attrs)
        op = self._original(graph, replace(node, attrs=attributes))
        unread = sorted(set(node.attrs) - attributes.read - _UNTOLD.get(node.op_type, frozenset()))
        if unread and not _are_defaults(node, unread):
            raise UnsupportedOpError(f"{node.op_type} with {', '.join(unread)}")
        return op


class _Read(Mapping[str, object]):
    """Attributes that remember which of them were looked at."""

    def __init__(self, attributes: Mapping[str, object]) -> None:
        self._attributes = attributes
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> object:
        self.read.add(name)
        return self._attributes[name]

    def __contains__(self, name: object) -> bool:
        return name in self._attributes

    def __iter__(self) -> Iterator[str]:
        return iter(self._attributes)

    def __len__(self) -> int:
        return len(self._attributes)


def _are_defaults(node: Node, names: Sequence[str]) -> bool:
    domain = node.domain if node.domain not in (None, "ai.onnx") else ""
    known = onnx.defs.get_schema(node.op_type, domain=domain or "").attributes
    for name in names:
        if name not in known or not known[name].default_value.name:
            return False
        default = onnx.helper.get_attribute_value(known[name].default_value)
        if _plain(default) != _plain(node.attrs[name]):
            return False
    return True


def _plain(value: object) -> object:
    return value.decode() if isinstance(value, bytes) else value


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
