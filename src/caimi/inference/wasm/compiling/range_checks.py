"""Checks of indices and lengths in tensors, for operators that are told apart by their node alone.

As in `index_checks`: what is out of range would make an operator read other memory, or be passed
over without a sign.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod

from caimi.inference.wasm.compiling.shape_checks import GraphNode

Limits = Callable[[GraphNode], tuple[int, int]]
"""Gives the least and the greatest value that an input's elements may have."""


def range_checks(node: GraphNode) -> list[str]:
    """Give C statements that return CAIMI_INDEX_OUT_OF_RANGE where an element is out of range."""
    place, limits = _LIMITS.get(node.proto.op_type, (0, None))
    if limits is None or place not in node.known:
        return []
    low, high = limits(node)
    element = f"{node.known[place]}[i]"
    fits = f"{element} >= {low} && {element} <= {high}"
    ignored = [a.i for a in node.proto.attribute if a.name == "ignore_index"]
    if ignored:
        fits = f"({fits}) || {element} == {ignored[0]}"
    return [
        f"for (int32_t i = 0; i < {node.count(place)}; i++)",
        f"if (!({fits})) return CAIMI_INDEX_OUT_OF_RANGE;",
    ]


def _class(node: GraphNode) -> tuple[int, int]:
    return 0, node.input(0)[1] - 1


def _batch(node: GraphNode) -> tuple[int, int]:
    return 0, node.input(0)[0] - 1


def _element(node: GraphNode) -> tuple[int, int]:
    return 0, prod(node.output()) - 1


def _feature(node: GraphNode) -> tuple[int, int]:
    return 0, node.input(0)[-1] - 1


def _place(node: GraphNode) -> tuple[int, int]:
    axis = node.attribute("axis", -2)
    most = node.input(0)[axis]
    linear = node.text("mode", "linear") == "linear"
    return 0, most - (node.input(1)[axis] if linear else 1)


def _time(node: GraphNode) -> tuple[int, int]:
    return 0, node.input(0)[node.attribute("time_axis", 0)]


def _steps(node: GraphNode) -> tuple[int, int]:
    return 0, node.input(0)[node.attribute("layout", 0)]


_LIMITS: Mapping[str, tuple[int, Limits]] = {
    "NegativeLogLikelihoodLoss": (1, _class),
    "SoftmaxCrossEntropyLoss": (1, _class),
    "RoiAlign": (2, _batch),
    "MaxUnpool": (1, _element),
    "ArrayFeatureExtractor": (1, _feature),
    "TensorScatter": (2, _place),
    "ReverseSequence": (1, _time),
    "RNN": (4, _steps),
    "GRU": (4, _steps),
    "LSTM": (4, _steps),
}
