"""Operators stated in the form that the generator takes, where the standard allows several."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import NodeProto, helper

from caimi.inference.tensors import Array
from caimi.inference.wasm.compiling.exact import sliced_places


@dataclass(frozen=True)
class Known:
    """What is known of an operator: values of constants, shapes, and a source of new names.

    `constant` keeps a value as a weight and gives its name.
    """

    values: Mapping[str, Array]
    shape: Callable[[str], tuple[int, ...] | None]
    fresh: Callable[[str], str]
    constant: Callable[[str, Array], str]


def plain_form(node: NodeProto, known: Known) -> list[NodeProto]:
    """Give the operators that stand for `node`: by default itself, unchanged."""
    form = None if node.domain else _FORMS.get(node.op_type)
    return [node] if form is None else form(node, known)


def _copy(node: NodeProto) -> NodeProto:
    plain = NodeProto()
    plain.CopyFrom(node)
    return plain


def _resize(node: NodeProto, known: Known) -> list[NodeProto]:
    """Leave out a region and scales that are stated as empty, which is no statement."""
    plain = _copy(node)
    for place, name in enumerate(node.input[1:3], 1):
        if name in known.values and not known.values[name].size:
            plain.input[place] = ""
    return [plain]


def _einsum(node: NodeProto, known: Known) -> list[NodeProto]:
    """Leave out spaces, which mean nothing in an equation."""
    plain = _copy(node)
    for attribute in plain.attribute:
        if attribute.name == "equation":
            attribute.s = attribute.s.replace(b" ", b"")
    return [plain]


def _slice(node: NodeProto, known: Known) -> list[NodeProto]:
    """Take what steps backwards by its places."""
    bounds = [known.values.get(name) for name in node.input[1:]]
    shape = known.shape(node.input[0])
    if len(bounds) < 4 or any(bound is None for bound in bounds) or shape is None:
        return [node]
    starts, ends, axes, steps = ([int(x) for x in np.ravel(b)] for b in bounds if b is not None)
    if not any(step < 0 for step in steps) or len(set(axes)) != len(axes) or 0 in steps:
        return [node]
    nodes: list[NodeProto] = []
    source = node.input[0]
    each: list[tuple[Any, ...]] = list(zip(starts, ends, axes, steps, strict=True))
    for place, (start, end, axis, step) in enumerate(each):
        target = node.output[0] if place == len(each) - 1 else known.fresh(node.output[0])
        where = np.array(sliced_places(start, end, step, shape[axis]), np.int64)
        indices = known.constant(node.output[0], where)
        nodes.append(helper.make_node("Gather", [source, indices], [target], axis=axis))
        source = target
    return nodes


_FORMS: Mapping[str, Callable[[NodeProto, Known], list[NodeProto]]] = {
    "Einsum": _einsum,
    "Resize": _resize,
    "Slice": _slice,
}
