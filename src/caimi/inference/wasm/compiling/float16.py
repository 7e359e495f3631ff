"""Operators on float16 numbers, computed in float32 and rounded once.

The standard does not say in what an operator on float16 adds up, and the code generator adds up in
float16, where 4,096 equal scores have a softmax that sums to 2. Here every operator that computes
gets its float16 inputs as float32 and each of its results is rounded to float16: what one IEEE 754
operation on float16 gives, and what sums, means and norms should. Operators that only move numbers
are left as they are.
"""

from __future__ import annotations

from typing import Final

import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper

from caimi.inference.wasm.compiling.folding import replace_nodes
from caimi.inference.wasm.compiling.fresh_names import FreshNames

MOVING: Final = frozenset(
    {
        *("BitCast", "Cast", "CastLike", "CenterCropPad", "Compress", "Concat", "Constant"),
        *("ConstantOfShape", "DepthToSpace", "Expand", "EyeLike", "Flatten", "Gather"),
        *("GatherElements", "GatherND", "Identity", "IsInf", "IsNaN", "NonZero", "OneHot", "Pad"),
        *("Reshape", "ReverseSequence", "Scatter", "Shape", "Size", "Slice", "SpaceToDepth"),
        *("Split", "Squeeze", "TensorScatter", "Tile", "Transpose", "Trilu", "Unsqueeze", "Where"),
    }
)
"""Operators that compute nothing of their float16 numbers."""
_CASTS: Final = frozenset({"Cast", "CastLike"})
"""Those too, but for a comparison with zero where they give truth values."""
_MOVING_WITHOUT_REDUCTION: Final = frozenset({"ScatterElements", "ScatterND"})
_TYPES: Final = ("dtype", "output_dtype", "output_datatype")
"""Attributes that say the type of a result."""


def widen(model: ModelProto) -> ModelProto:
    """Give an equal model in which no operator that computes does so on float16 numbers.

    `model` has inferred types; what is returned has too.
    """
    kinds = _kinds(model)
    if not any(_computes_halves(node, kinds) for node in model.graph.node):
        return model
    widened = ModelProto()
    widened.CopyFrom(model)
    names = FreshNames(model)
    nodes: list[NodeProto] = []
    as_float: dict[str, str] = {}
    for node in widened.graph.node:
        nodes += _widened(node, kinds, names, as_float) if _computes_halves(node, kinds) else [node]
    replace_nodes(widened.graph, nodes)
    return onnx.shape_inference.infer_shapes(widened, strict_mode=True, data_prop=True)


def _kinds(model: ModelProto) -> dict[str, int]:
    graph = model.graph
    values = (*graph.input, *graph.value_info, *graph.output)
    kinds = {value.name: value.type.tensor_type.elem_type for value in values}
    return kinds | {tensor.name: tensor.data_type for tensor in graph.initializer}


def _computes_halves(node: NodeProto, kinds: dict[str, int]) -> bool:
    if node.op_type in MOVING:
        to_truth = node.op_type in _CASTS and kinds.get(node.output[0]) == TensorProto.BOOL
        return to_truth and kinds.get(node.input[0]) == TensorProto.FLOAT16
    if node.op_type in _MOVING_WITHOUT_REDUCTION:
        reductions = [entry.s for entry in node.attribute if entry.name == "reduction"]
        if reductions in ([], [b"none"]):
            return False
    return any(kinds.get(name) == TensorProto.FLOAT16 for name in (*node.input, *node.output))


def _widened(
    node: NodeProto, kinds: dict[str, int], names: FreshNames, as_float: dict[str, str]
) -> list[NodeProto]:
    before, after = [], []
    wide = NodeProto()
    wide.CopyFrom(node)
    for place, name in enumerate(node.input):
        if kinds.get(name) != TensorProto.FLOAT16:
            continue
        if name not in as_float:
            as_float[name] = names.fresh(f"{name}/float32")
            before.append(_cast(name, as_float[name], TensorProto.FLOAT))
        wide.input[place] = as_float[name]
    for place, name in enumerate(node.output):
        if kinds.get(name) == TensorProto.FLOAT16:
            wide.output[place] = names.fresh(f"{name}/unrounded")
            after.append(_cast(wide.output[place], name, TensorProto.FLOAT16))
    for entry in wide.attribute:
        if entry.name in _TYPES and entry.i == TensorProto.FLOAT16:
            entry.i = TensorProto.FLOAT
    return [*before, wide, *after]


def _cast(source: str, target: str, kind: int) -> NodeProto:
    return helper.make_node("Cast", [source], [target], to=kind)
