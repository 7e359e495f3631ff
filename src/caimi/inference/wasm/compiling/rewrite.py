"""Classical machine learning operators (domain `ai.onnx.ml`) in plain tensor operators.

The code generator has no code for most of them, and for some of them wrong code: its tree ensembles
ignore base values and the branch of missing values, and look every node up by a search through all
of them; its `ArrayFeatureExtractor` does not compile for a vector of labels. Plain operators are
compiled like any other, take the same number of steps whatever the input is, and so cost the same
fuel. Where ONNX Runtime and the standard's reference differ, ONNX Runtime is followed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from onnx import ModelProto, NodeProto, shape_inference

from caimi.errors.inference import ModelNotRunnable
from caimi.inference.wasm.compiling.fresh_names import FreshNames
from caimi.inference.wasm.compiling.replacement import ML_DOMAIN, Replacement
from caimi.inference.wasm.compiling.rewrite_linear import (
    array_feature_extractor,
    binarizer,
    imputer,
    linear_classifier,
    linear_regressor,
    normalizer,
    scaler,
)
from caimi.inference.wasm.compiling.rewrite_trees import tree_classifier, tree_regressor

MIN_OPSET: Final = 13
_REWRITES: Final[dict[str, Callable[[Replacement], None]]] = {
    "ArrayFeatureExtractor": array_feature_extractor,
    "Binarizer": binarizer,
    "Imputer": imputer,
    "LinearClassifier": linear_classifier,
    "LinearRegressor": linear_regressor,
    "Normalizer": normalizer,
    "Scaler": scaler,
    "TreeEnsembleClassifier": tree_classifier,
    "TreeEnsembleRegressor": tree_regressor,
}
# The generator's own code for these passes the standard's tests.
_GENERATED: Final = frozenset({"LabelEncoder", "TreeEnsemble"})


def rewrite(model: ModelProto) -> ModelProto:
    """Give an equal model without the operators of `ai.onnx.ml` that the generator cannot take.

    The model given is left as it is. New names begin with ``caimi.``, or
    with ``caimi_.`` where the model has such names itself, and so on.

    Raises:
        ModelNotRunnable: such an operator, or an option of it, has no rewriting.
    """
    if not any(is_classical(node) for node in model.graph.node):
        return model
    _check(model)
    result = ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    prefix = FreshNames(model).free_prefix("caimi")
    replaced: list[NodeProto] = []
    while at := [place for place, node in enumerate(graph.node) if is_classical(node)]:
        # What follows an operator without rules for shapes gets a shape once that is replaced.
        shaped = shape_inference.infer_shapes(result)
        node = NodeProto()
        node.CopyFrom(graph.node[at[0]])
        replacement = Replacement(node, shaped.graph, f"{prefix}.{len(replaced)}")
        _REWRITES[node.op_type](replacement)
        replaced.append(node)
        nodes = [*graph.node[: at[0]], *replacement.nodes, *graph.node[at[0] + 1 :]]
        del graph.node[:]
        graph.node.extend(nodes)
        graph.initializer.extend(replacement.weights)
    _forget_shapes(result, {output for node in replaced for output in node.output})
    return result


def _forget_shapes(model: ModelProto, names: set[str]) -> None:
    kept = [value for value in model.graph.value_info if value.name not in names]
    del model.graph.value_info[:]
    model.graph.value_info.extend(kept)


def is_classical(node: NodeProto) -> bool:
    """Tell whether an operator must be rewritten before the generator sees it."""
    return node.domain == ML_DOMAIN and node.op_type not in _GENERATED


def _check(model: ModelProto) -> None:
    for node in model.graph.node:
        if is_classical(node) and node.op_type not in _REWRITES:
            raise ModelNotRunnable(f"Operator {ML_DOMAIN}.{node.op_type} cannot be compiled.")
    opsets = {entry.domain or "ai.onnx": entry.version for entry in model.opset_import}
    if opsets.get("ai.onnx", MIN_OPSET) < MIN_OPSET:
        raise ModelNotRunnable(
            f"{ML_DOMAIN} operators are compiled from opset {MIN_OPSET} on; this model has "
            f"{opsets['ai.onnx']}."
        )
    if "ai.onnx" not in opsets:
        raise ModelNotRunnable("The model does not say which opset of ai.onnx it uses.")
