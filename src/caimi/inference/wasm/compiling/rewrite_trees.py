"""Rewriting tree ensembles: all trees walk down together, one level a step.

As in Nakandala et al., "A Tensor Compiler for Unified Machine Learning Prediction Serving" (OSDI
2020), section 4.1, "tree traversal": a table holds every node's feature, threshold and children,
leaves are their own children, and after as many steps as the deepest tree has levels each tree
stands on its leaf. The leaves' weights are then summed in the order of the trees.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from caimi.inference.tensors import Array
from caimi.inference.wasm.compiling.replacement import Replacement, label_of, side_of
from caimi.inference.wasm.compiling.rewrite_linear import transformed, two_sided

_COMPARISONS: Final = {
    "BRANCH_LEQ": "LessOrEqual",
    "BRANCH_LT": "Less",
    "BRANCH_GTE": "GreaterOrEqual",
    "BRANCH_GT": "Greater",
    "BRANCH_EQ": "Equal",
    "BRANCH_NEQ": "Equal",
}
_MAX_DEPTH: Final = 256
_BINARY: Final = 2

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Forest:
    """Nodes by number; `roots` and `depth` say where and how long to walk."""

    features: Ints
    thresholds: npt.NDArray[np.float32]
    modes: list[str]
    missing: npt.NDArray[np.bool_]
    true: Ints
    false: Ints
    roots: Ints
    depth: int
    number: dict[tuple[int, int], int]


def tree_regressor(into: Replacement) -> None:
    """Each target's sum, mean, least or greatest over the trees."""
    into.check(post_transform=("NONE",), aggregate_function=("SUM", "AVERAGE", "MIN", "MAX"))
    targets = int(into.number("n_targets", 1))
    forest = _forest(into)
    weights, complete = _leaf_weights(into, forest, "target", targets)
    how = into.text("aggregate_function", "SUM")
    if how in ("MIN", "MAX") and not complete.all():
        raise into.refusal(f"{how} of leaves without a weight")
    base = _base(into, (0, targets))
    final = None if len(base) else into.node.output[0]
    result = _aggregate(into, _walk(into, forest), weights, how, len(forest.roots), final)
    if len(base):
        into.op("Add", result, into.weight(base), output=into.node.output[0])


def tree_classifier(into: Replacement) -> None:
    """Each class's sum over the trees, transformed, and the label of the greatest."""
    into.check(post_transform=("NONE", "LOGISTIC", "SOFTMAX"))
    into.absent("classlabels_strings")
    labels = np.asarray(into.numbers("classlabels_int64s"), np.int64)
    forest = _forest(into)
    if len(labels) == _BINARY:
        _two_classes(into, forest, labels)
        return
    if len(labels) < _BINARY:
        raise into.refusal("it has fewer than two classes")
    weights, complete = _leaf_weights(into, forest, "class", len(labels))
    base = _base(into, (0, len(labels)))
    if not complete.any(axis=0).all() and (weights.min() < 0 or (len(base) and base.min() < 0)):
        # ONNX Runtime gives no label to a class that no leaf names, however low the others are.
        raise into.refusal("negative weights, and a class that not every leaf of a tree names")
    label, probabilities = into.node.output
    scores = _aggregate(into, _walk(into, forest), weights, "SUM", len(forest.roots))
    if len(base):
        scores = into.op("Add", scores, into.weight(base))
    label_of(into, scores, labels, label)
    transformed(into, scores, into.text("post_transform", "NONE"), probabilities)


def _two_classes(into: Replacement, forest: _Forest, labels: Array) -> None:
    """One score, of the second class although it is numbered as the first."""
    if set(into.numbers("class_ids")) != {0}:
        raise into.refusal("two classes, and scores that are not all numbered 0")
    transform = into.text("post_transform", "NONE")
    if transform == "SOFTMAX":
        raise into.refusal("two classes, one score and post_transform SOFTMAX")
    weights, _ = _leaf_weights(into, forest, "class", 1)
    base = _base(into, (0, 1))
    label, probabilities = into.node.output
    score = _aggregate(into, _walk(into, forest), weights, "SUM", len(forest.roots))
    if len(base):
        score = into.op("Add", score, into.weight(base))
    share = not np.any(np.asarray(into.numbers("class_weights")) < 0)
    side_of(into, score, 0.5 if share else 0, labels, label)
    if transform == "LOGISTIC":
        two_sided(into, score, probabilities)
    else:
        other = into.op("Sub", into.weight(1), score) if share else into.op("Neg", score)
        into.op("Concat", other, score, output=probabilities, axis=1)


def _walk(into: Replacement, forest: _Forest) -> str:
    """Give the number of the leaf, [rows, trees]."""
    data = into.floats(into.node.input[0])
    modes = sorted({mode for mode in forest.modes if mode != "LEAF"})
    tables = [into.weight(forest.features, "int64"), into.weight(forest.thresholds)]
    children = [into.weight(forest.true, "int64"), into.weight(forest.false, "int64")]
    missing = into.weight(forest.missing, "bool") if forest.missing.any() else None
    of_mode = {
        mode: into.weight([each == mode for each in forest.modes], "bool")
        for mode in (modes if len(modes) > 1 else [])
    }

    def look_up(table: str) -> str:
        return into.op("Gather", table, at, axis=0)

    at = into.weight(forest.roots, "int64")
    for step in range(max(forest.depth, 1)):
        features, thresholds = (look_up(table) for table in tables)
        # The first step is the same for every row: nodes are a vector, later ones a matrix.
        kind = "GatherElements" if step else "Gather"
        values = into.op(kind, data, features, axis=1)
        chosen: list[str] = []
        for mode in modes or ["BRANCH_LEQ"]:
            found = into.op(_COMPARISONS[mode], values, thresholds)
            if mode == "BRANCH_NEQ":
                found = into.op("Not", found)
            if mode in of_mode:
                found = into.op("And", found, look_up(of_mode[mode]))
            chosen.append(found)
        if missing:
            chosen.append(into.op("And", into.op("IsNaN", values), look_up(missing)))
        while len(chosen) > 1:
            chosen.append(into.op("Or", chosen.pop(0), chosen.pop(0)))
        at = into.op("Where", chosen[0], *(look_up(table) for table in children))
    return at


def _aggregate(
    into: Replacement, leaves: str, weights: Array, how: str, trees: int, output: str | None = None
) -> str:
    """Give [rows, targets] of the leaves' weights."""
    each = into.op("Gather", into.weight(weights), leaves, axis=0)
    if how in ("MIN", "MAX"):
        # ReduceMin and ReduceMax take their axes as an attribute before opset 18, as an input
        # since; the greatest of one is itself, so all trees can be compared one by one.
        parts = [
            into.op("Gather", each, into.weight(tree, "int64"), axis=1) for tree in range(trees)
        ]
        return into.op("Min" if how == "MIN" else "Max", *parts, output=output)
    axis = into.weight([1], "int64")
    if how == "SUM":
        return into.op("ReduceSum", each, axis, output=output, keepdims=0)
    total = into.op("ReduceSum", each, axis, keepdims=0)
    return into.op("Div", total, into.weight(trees), output=output)


def _base(into: Replacement, lengths: tuple[int, int]) -> npt.NDArray[np.float32]:
    into.absent("base_values_as_tensor")
    base = np.asarray(into.numbers("base_values"), np.float32)
    if len(base) not in lengths:
        raise into.refusal(f"{len(base)} base values")
    return base


def _leaf_weights(
    into: Replacement, forest: _Forest, kind: str, columns: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Give a row for each node, and for each tree and column whether all its leaves name it."""
    into.absent(f"{kind}_weights_as_tensor")
    lists = [into.numbers(f"{kind}_{name}") for name in ("treeids", "nodeids", "ids", "weights")]
    if len({len(each) for each in lists}) != 1:
        raise into.refusal(f"its {kind}_ lists are not of one length")
    table = np.zeros((len(forest.modes), columns), np.float32)
    named = np.zeros(table.shape, bool)
    for of, node, column, weight in zip(*lists, strict=True):
        row = forest.number.get((of, node))
        if row is None or forest.modes[row] != "LEAF" or not 0 <= column < columns:
            raise into.refusal(f"a weight of tree {of}, node {node}, {column} is of no leaf")
        table[row, column] += np.float32(weight)
        named[row, column] = True
    _, tree = np.unique([tree for tree, _ in forest.number], return_inverse=True)
    complete = np.ones((len(forest.roots), columns), bool)
    leaf = np.asarray([mode == "LEAF" for mode in forest.modes])
    np.logical_and.at(complete, tree[leaf], named[leaf])
    return table, complete


def _forest(into: Replacement) -> _Forest:
    into.absent("nodes_values_as_tensor", "nodes_hitrates_as_tensor")
    names = ("treeids", "nodeids", "featureids", "values", "truenodeids", "falsenodeids")
    lists = [into.numbers(f"nodes_{name}") for name in names]
    modes = into.texts("nodes_modes")
    missing = into.numbers("nodes_missing_value_tracks_true") or [0] * len(modes)
    if not modes or {len(each) for each in lists} != {len(modes)} or len(missing) != len(modes):
        raise into.refusal("its nodes_ lists are empty or not of one length")
    unknown = set(modes) - {"LEAF", *_COMPARISONS}
    if unknown:
        raise into.refusal(f"nodes_modes has {min(unknown)}")
    trees, nodes, features, values, true, false = lists
    number = {key: place for place, key in enumerate(zip(trees, nodes, strict=True))}
    if len(number) != len(modes):
        raise into.refusal("a node stands twice")
    width = into.shape(into.node.input[0])
    if len(width) != _BINARY:
        raise into.refusal("its input is no matrix")
    children = np.empty((2, len(modes)), np.int64)
    for place, mode in enumerate(modes):
        for side, ids in enumerate((true, false)):
            child = place if mode == "LEAF" else number.get((trees[place], ids[place]))
            if child is None:
                raise into.refusal(f"tree {trees[place]} has no node {ids[place]}")
            children[side, place] = child
        if mode == "LEAF":
            features[place] = values[place] = 0
        elif not 0 <= features[place] < (width[1] or features[place] + 1):
            raise into.refusal(f"it looks at feature {features[place]} of {width[1]}")
    # A tree's root is the first of its nodes.
    first: dict[int, int] = {}
    for place, tree in enumerate(trees):
        first.setdefault(tree, place)
    roots = np.asarray(list(first.values()), np.int64)
    return _Forest(
        np.asarray(features, np.int64),
        np.asarray(values, np.float32),
        modes,
        np.asarray(missing, bool),
        children[0],
        children[1],
        roots,
        _depth(into, roots, children, np.asarray([mode == "LEAF" for mode in modes])),
        number,
    )


def _depth(
    into: Replacement, roots: Ints, children: npt.NDArray[np.int64], leaf: npt.NDArray[np.bool_]
) -> int:
    """Give the steps until every tree stands on a leaf."""
    reached, depth = roots, 0
    while not leaf[reached].all():
        reached, depth = np.unique(children[:, reached]), depth + 1
        if depth > _MAX_DEPTH:
            raise into.refusal(f"a tree is deeper than {_MAX_DEPTH} or has a circle")
    return depth
