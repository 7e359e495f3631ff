"""One operator in some surroundings: a model, its inputs, and what was drawn to make it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from caimi.inference.wasm.compiling.well_formed import check_well_formed

ML = "ai.onnx.ml"
ML_OPSET = 5
"""Of `ai.onnx.ml` in every model."""


@dataclass(frozen=True, slots=True)
class Case:
    """A model whose inputs have sizes; `story` tells people what it is about."""

    operator: str
    story: str
    model: ModelProto
    inputs: Mapping[str, Any]

    def named(self, story: str) -> Case:
        """Give the case with more to its story."""
        return replace(self, story=f"{self.story}, {story}")


def build(
    nodes: Sequence[NodeProto],
    inputs: Mapping[str, Any],
    fixed: Mapping[str, Any],
    outputs: Sequence[str],
    opset: int,
) -> ModelProto:
    """Give a model of these nodes; `fixed` are its initializers; outputs get the types inferred.

    Raises:
        onnx.shape_inference.InferenceError: the nodes do not fit each other.
        onnx.checker.ValidationError: it is no valid model.
        ModelNotRunnable: ONNX's inference would not give an answer.
    """
    graph = helper.make_graph(
        [copy_of(node) for node in nodes],
        "case",
        [
            helper.make_tensor_value_info(name, kind_of(value), list(value.shape))
            for name, value in inputs.items()
        ],
        [onnx.ValueInfoProto(name=name) for name in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in fixed.items()],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset), helper.make_opsetid(ML, ML_OPSET)]
    )
    model.ir_version = min(model.ir_version, 10)
    check_well_formed(model)
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    known = {value.name: value for value in (*inferred.graph.value_info, *inferred.graph.input)}
    for value in inferred.graph.output:
        if not value.type.WhichOneof("value"):
            if value.name in fixed:
                array = np.asarray(fixed[value.name])
                value.CopyFrom(
                    helper.make_tensor_value_info(value.name, kind_of(array), list(array.shape))
                )
            elif value.name in known:
                value.CopyFrom(known[value.name])
    del inferred.graph.value_info[:]
    onnx.checker.check_model(inferred)
    return inferred


def copy_of(node: NodeProto) -> NodeProto:
    """Give a node of its own."""
    copy = NodeProto()
    copy.CopyFrom(node)
    return copy


def kind_of(value: Any) -> int:
    """Give the element type's number."""
    kind = np.asarray(value).dtype
    return TensorProto.STRING if kind.kind in "OUS" else helper.np_dtype_to_tensor_dtype(kind)


def merged(cases: Mapping[str, Case], opset: int) -> ModelProto:
    """Give one model that does all of them beside each other, names after a prefix for each."""
    whole = ModelProto(ir_version=10)
    whole.opset_import.add(domain="", version=opset)
    whole.opset_import.add(domain=ML, version=ML_OPSET)
    whole.graph.name = "batch"
    for prefix, case in cases.items():
        graph = onnx.compose.add_prefix(case.model, prefix).graph
        whole.graph.node.extend(graph.node)
        whole.graph.input.extend(graph.input)
        whole.graph.output.extend(graph.output)
        whole.graph.initializer.extend(graph.initializer)
    return whole
