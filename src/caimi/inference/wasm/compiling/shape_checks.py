"""Checks that sizes which a graph computes while it runs are those that the module was made for.

A module's shapes are fixed when it is compiled. Where an operator takes a size, an axis or a count
from a tensor that only a run fills, the module compares it with the fixed shapes first, and gives
CAIMI_SHAPE_DIFFERS. An operator whose sizes cannot be compared is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod

from onnx import NodeProto, helper

from caimi.errors.inference import ModelNotRunnable

Shape = tuple[int, ...]
_DIFFERS = "return CAIMI_SHAPE_DIFFERS;"


@dataclass(frozen=True)
class GraphNode:
    """An operator of the graph: shapes of its inputs and outputs, None where it has none.

    `computed` gives, for inputs that a run fills, the C expression of a pointer to their elements,
    and `known` for those that are constants too.
    """

    proto: NodeProto
    inputs: tuple[Shape | None, ...]
    outputs: tuple[Shape | None, ...]
    computed: Mapping[int, str]
    known: Mapping[int, str]

    def attribute(self, name: str, default: int) -> int:
        """Give an integer attribute."""
        found = [a.i for a in self.proto.attribute if a.name == name]
        return int(found[0]) if found else default

    def integers(self, name: str) -> tuple[int, ...]:
        """Give an attribute of integers, none if it is missing."""
        found = [a for a in self.proto.attribute if a.name == name]
        return tuple(helper.get_attribute_value(found[0])) if found else ()

    def text(self, name: str, default: str) -> str:
        """Give an attribute of text."""
        found = [a.s for a in self.proto.attribute if a.name == name]
        return found[0].decode(errors="replace") if found else default

    def input(self, place: int) -> Shape:
        """Give an input's shape."""
        shape = self.inputs[place]
        assert shape is not None
        return shape

    def output(self, place: int = 0) -> Shape:
        """Give an output's shape."""
        shape = self.outputs[place]
        assert shape is not None
        return shape

    def count(self, place: int) -> int:
        """Give how many elements an input has."""
        return prod(self.input(place))


ShapeCheck = Callable[[GraphNode], list[str]]


def shape_checks(node: GraphNode) -> list[str]:
    """Give C statements that return CAIMI_SHAPE_DIFFERS where a computed size is another.

    Raises:
        ModelNotRunnable: the operator's sizes are computed, and cannot be compared.
    """
    kind = node.proto.op_type
    places, check = _CHECKS.get("Reduce" if kind.startswith("Reduce") else kind, ((), _refuse))
    return check(node) if any(place in node.computed for place in places) else []


def _unless(condition: str) -> str:
    return f"if (!({condition})) {_DIFFERS}"


def _equal(node: GraphNode, place: int, sizes: Shape) -> list[str]:
    """Compare an input's elements with sizes, one by one."""
    if place not in node.computed:
        return []
    if node.count(place) != len(sizes):
        raise _refused(node)
    return [_unless(f"{node.computed[place]}[{i}] == {size}") for i, size in enumerate(sizes)]


def _refused(node: GraphNode) -> ModelNotRunnable:
    return ModelNotRunnable(f"{node.proto.op_type}: its output's size depends on the input's data.")


def _refuse(node: GraphNode) -> list[str]:
    raise _refused(node)


def _reshape(node: GraphNode) -> list[str]:
    given, source, target = node.computed[1], node.input(0), node.output()
    if node.count(1) != len(target):
        raise _refused(node)
    lines = ["int32_t open = 0;"]
    for i, size in enumerate(target):
        copied = not node.attribute("allowzero", 0) and i < len(source) and source[i] == size
        zero = f" || {given}[{i}] == 0" if copied else ""
        lines.append(f"open += {given}[{i}] == -1;")
        lines.append(_unless(f"{given}[{i}] == {size} || {given}[{i}] == -1{zero}"))
    return [*lines, _unless("open <= 1")]


def _expand(node: GraphNode) -> list[str]:
    given, source, target = node.computed[1], node.input(0), node.output()
    more = len(target) - node.count(1)
    if more < 0:
        raise _refused(node)
    lines = []
    for i in range(node.count(1)):
        at, size = i + more - (len(target) - len(source)), target[i + more]
        one = f" || {given}[{i}] == 1" if at >= 0 and source[at] == size else ""
        one = f" || {given}[{i}] == 1" if size == 1 else one
        lines.append(_unless(f"{given}[{i}] == {size}{one}"))
    return lines


def _tile(node: GraphNode) -> list[str]:
    given = node.computed[1]
    return [
        _unless(f"{given}[{i}] * {before} == {after} && {given}[{i}] >= 0")
        for i, (before, after) in enumerate(zip(node.input(0), node.output(), strict=True))
    ]


def _range(node: GraphNode) -> list[str]:
    if set(node.known) != {0, 1, 2}:
        raise _refused(node)
    start, limit, delta = (f"(double){node.known[place]}[0]" for place in range(3))
    steps = f"__builtin_ceil(({limit} - {start}) / ({delta}))"
    return [
        _unless(f"{delta} != 0"),
        f"double steps = {steps};",
        _unless(f"(steps > 0 ? steps : 0) == {node.output()[0]}"),
    ]


def _one_hot(node: GraphNode) -> list[str]:
    axis = node.attribute("axis", -1) % len(node.output())
    return [_unless(f"{node.computed[1]}[0] == {node.output()[axis]}")]


def _top_k(node: GraphNode) -> list[str]:
    axis = node.attribute("axis", -1) % len(node.output())
    return [_unless(f"{node.computed[1]}[0] == {node.output()[axis]}")]


def _split(node: GraphNode) -> list[str]:
    axis = node.attribute("axis", 0) % len(node.input(0))
    sizes = tuple(node.output(i)[axis] for i in range(len(node.outputs)))
    return _equal(node, 1, sizes)


def _mask(given: str, count: int, rank: int) -> list[str]:
    """Collect axes as bits of `axes`."""
    lines = ["uint64_t axes = 0;", "int32_t axis;"]
    for i in range(count):
        lines += [
            _unless(f"{given}[{i}] >= {-rank} && {given}[{i}] < {rank}"),
            f"axis = (int32_t){given}[{i}] + ({given}[{i}] < 0 ? {rank} : 0);",
            _unless("!(axes >> axis & 1)"),
            "axes |= (uint64_t)1 << axis;",
        ]
    return lines


def _without(long: Shape, short: Shape, *, ones: bool) -> list[str]:
    """Compare `long` without the axes of the mask with `short`; `ones`: those axes are 1."""
    lines = ["int32_t left = 0;"]
    sizes = ", ".join(map(str, short)) or "0"
    lines.append(f"static const int32_t rest[] = {{{sizes}}};")
    for i, size in enumerate(long):
        removed = "" if not ones or size == 1 else f"if (axes >> {i} & 1) {_DIFFERS}"
        kept = f"left < {len(short)} && rest[left] == {size}"
        lines.append(removed)
        lines.append(f"if (!(axes >> {i} & 1)) {{ {_unless(kept)} left++; }}")
    return [*lines, _unless(f"left == {len(short)}")]


def _squeeze(node: GraphNode) -> list[str]:
    source = node.input(0)
    return [
        *_mask(node.computed[1], node.count(1), len(source)),
        *_without(source, node.output(), ones=True),
    ]


def _unsqueeze(node: GraphNode) -> list[str]:
    target = node.output()
    return [
        *_mask(node.computed[1], node.count(1), len(target)),
        *_without(target, node.input(0), ones=True),
    ]


def _reduce(node: GraphNode) -> list[str]:
    source, target, count = node.input(0), node.output(), node.count(1)
    if len(source) > 63:
        raise _refused(node)
    lines = _mask(node.computed[1], count, len(source))
    if not count and not node.attribute("noop_with_empty_axes", 0):
        lines.append(f"axes = {(1 << len(source)) - 1}u;")
    if not node.attribute("keepdims", 1):
        return [*lines, *_without(source, target, ones=False)]
    for i, (before, after) in enumerate(zip(source, target, strict=True)):
        lines.append(_unless(f"(axes >> {i} & 1 ? 1 : {before}) == {after}"))
    return lines


def _slice(node: GraphNode) -> list[str]:
    source, target, count = node.input(0), node.output(), node.count(1)
    if not {1, 2} <= set(node.known):
        raise _refused(node)
    lines = [f"int32_t sizes[] = {{{', '.join(map(str, source))}}};", "uint64_t axes = 0;"]
    dims = f"static const int32_t dims[] = {{{', '.join(map(str, source))}}};"
    lines.append(dims)
    for place in (1, 2, 3, 4):
        if place < len(node.inputs) and node.inputs[place] is not None:
            if place not in node.known:
                raise _refused(node)
            for i in range(count):
                lines.append(_unless(f"caimi_is_small({node.known[place]}[{i}])"))
    rank = len(source)
    for i in range(count):
        axis = f"(int32_t){node.known[3]}[{i}]" if 3 in node.known else str(i)
        step = f"(int32_t){node.known[4]}[{i}]" if 4 in node.known else "1"
        first, last = (f"(int32_t){node.known[place]}[{i}]" for place in (1, 2))
        lines += [
            "{",
            f"int32_t axis = {axis};",
            _unless(f"axis >= {-rank} && axis < {rank}"),
            f"axis += axis < 0 ? {rank} : 0;",
            _unless(f"!(axes >> axis & 1) && {step} != 0"),
            "axes |= (uint64_t)1 << axis;",
            f"sizes[axis] = caimi_slice_size(dims[axis], {first}, {last}, {step});",
            "}",
        ]
    return [*lines, *(_unless(f"sizes[{i}] == {size}") for i, size in enumerate(target))]


def _pad(node: GraphNode) -> list[str]:
    source, target = node.input(0), node.output()
    if 1 not in node.known:
        raise _refused(node)
    given, count = node.known[1], node.count(1) // 2
    named = len(node.inputs) > 3 and node.inputs[3] is not None
    if named and 3 not in node.known:
        raise _refused(node)
    sizes = ", ".join(map(str, source))
    lines = [f"int64_t sizes[] = {{{sizes}}};", "uint64_t axes = 0;"]
    for i in range(count):
        axis = f"(int32_t){node.known[3]}[{i}]" if named else str(i)
        before, after = f"{given}[{i}]", f"{given}[{count + i}]"
        lines += [
            "{",
            f"int32_t axis = {axis};",
            _unless(f"axis >= {-len(source)} && axis < {len(source)}"),
            f"axis += axis < 0 ? {len(source)} : 0;",
            _unless(f"!(axes >> axis & 1) && {before} >= 0 && {after} >= 0"),
            "axes |= (uint64_t)1 << axis;",
            _unless(f"caimi_is_small({before}) && caimi_is_small({after})"),
            f"sizes[axis] += (int64_t){before} + (int64_t){after};",
            "}",
        ]
    return [*lines, *(_unless(f"sizes[{i}] == {size}") for i, size in enumerate(target))]


def _resize(node: GraphNode) -> list[str]:
    source, target = node.input(0), node.output()
    axes = tuple(a % len(source) for a in node.integers("axes")) or tuple(range(len(source)))
    policy = node.text("keep_aspect_ratio_policy", "stretch")
    cropped = node.text("coordinate_transformation_mode", "") == "tf_crop_and_resize"
    if 3 in node.computed and policy == "stretch":
        return _equal(node, 3, tuple(target[axis] for axis in axes))
    if 3 in node.computed:
        return _keeping_ratio(node.computed[3], axes, source, target, policy)
    if 2 not in node.computed or cropped or node.count(2) != len(axes):
        raise _refused(node)
    return _scaled(node.computed[2], axes, source, target)


def _scaled(given: str, axes: tuple[int, ...], source: Shape, target: Shape) -> list[str]:
    return [
        _unless(f"__builtin_floor((double){given}[{i}] * {source[axis]}) == {target[axis]}")
        for i, axis in enumerate(axes)
    ]


def _keeping_ratio(
    given: str, axes: tuple[int, ...], source: Shape, target: Shape, policy: str
) -> list[str]:
    order = "<" if policy == "not_larger" else ">"
    lines = [f"double ratio = (double){given}[0] / {max(source[axes[0]], 1)}, other;"]
    for i, axis in enumerate(axes):
        lines.append(f"other = (double){given}[{i}] / {max(source[axis], 1)};")
        lines.append(f"ratio = other {order} ratio ? other : ratio;")
    return lines + [
        _unless(f"__builtin_floor(ratio * {source[axis]} + 0.5) == {target[axis]}") for axis in axes
    ]


def _upsample(node: GraphNode) -> list[str]:
    return _scaled(node.computed[1], tuple(range(len(node.input(0)))), node.input(0), node.output())


def _chosen(node: GraphNode, given: str, count: int, wanted: int) -> list[str]:
    return [
        "int32_t chosen = 0;",
        f"for (int32_t i = 0; i < {count}; i++) chosen += {given}[i] != 0;",
        _unless(f"chosen == {wanted}"),
    ]


def _non_zero(node: GraphNode) -> list[str]:
    return _chosen(node, node.computed[0], node.count(0), node.output()[1])


def _compress(node: GraphNode) -> list[str]:
    if 1 not in node.computed:
        raise _refused(node)
    whole = not any(a.name == "axis" for a in node.proto.attribute)
    axis = 0 if whole else node.attribute("axis", 0) % len(node.input(0))
    most = node.count(0) if whole else node.input(0)[axis]
    if node.count(1) > most:
        raise ModelNotRunnable("Compress: its condition is longer than the axis.")
    return _chosen(node, node.computed[1], node.count(1), node.output()[axis])


def _center_crop_pad(node: GraphNode) -> list[str]:
    rank = len(node.input(0))
    axes = tuple(a % rank for a in node.integers("axes")) or tuple(range(rank))
    return _equal(node, 1, tuple(node.output()[axis] for axis in axes))


def _affine_grid(node: GraphNode) -> list[str]:
    target = node.output()
    given = node.computed[1]
    wanted = {0: target[0], **{i + 1: size for i, size in enumerate(target[1:-1], 1)}}
    return [_unless(f"{given}[{i}] == {size}") for i, size in wanted.items()]


def _max_unpool(node: GraphNode) -> list[str]:
    return _equal(node, 2, node.output())


def _constant_of_shape(node: GraphNode) -> list[str]:
    return _equal(node, 0, node.output())


def _window(node: GraphNode) -> list[str]:
    return [_unless(f"{node.computed[0]}[0] == {node.output()[0]}")]


def _mel_weights(node: GraphNode) -> list[str]:
    if not {0, 1} <= set(node.known):
        raise _refused(node)
    bins, columns = node.output()
    length = f"(int64_t){node.known[1]}[0]"
    return [
        _unless(f"(int64_t){node.known[0]}[0] == {columns}"),
        _unless(f"{length} > 0 && {length} / 2 + 1 == {bins}"),
    ]


def _cumulative(node: GraphNode) -> list[str]:
    rank, given = len(node.input(0)), node.known[1]
    return [_unless(f"{given}[0] >= {-rank} && {given}[0] < {rank}")]


def _dropout(node: GraphNode) -> list[str]:
    raise ModelNotRunnable("Dropout: in training, what it drops is random.")


_CHECKS: Mapping[str, tuple[tuple[int, ...], ShapeCheck]] = {
    "Reduce": ((1,), _reduce),
    "Reshape": ((1,), _reshape),
    "Expand": ((1,), _expand),
    "Tile": ((1,), _tile),
    "ConstantOfShape": ((0,), _constant_of_shape),
    "Range": ((0, 1, 2), _range),
    "OneHot": ((1,), _one_hot),
    "TopK": ((1,), _top_k),
    "Split": ((1,), _split),
    "Squeeze": ((1,), _squeeze),
    "Unsqueeze": ((1,), _unsqueeze),
    "Slice": ((1, 2, 3, 4), _slice),
    "Pad": ((1, 3), _pad),
    "Resize": ((1, 2, 3), _resize),
    "Upsample": ((1,), _upsample),
    "NonZero": ((0,), _non_zero),
    "Compress": ((1,), _compress),
    "Unique": ((0,), _refuse),
    "NonMaxSuppression": ((0, 1, 2, 3, 4), _refuse),
    "StringSplit": ((0,), _refuse),
    "CenterCropPad": ((1,), _center_crop_pad),
    "AffineGrid": ((1,), _affine_grid),
    "Col2Im": ((2,), _refuse),
    "MaxUnpool": ((2,), _max_unpool),
    "DFT": ((1, 2), _refuse),
    "STFT": ((1, 3), _refuse),
    "HannWindow": ((0,), _window),
    "HammingWindow": ((0,), _window),
    "BlackmanWindow": ((0,), _window),
    "MelWeightMatrix": ((0, 1, 2), _mel_weights),
    "CumSum": ((1,), _cumulative),
    "CumProd": ((1,), _cumulative),
    "Dropout": ((2,), _dropout),
}
"""For each operator the inputs that give sizes, and what compares them."""
