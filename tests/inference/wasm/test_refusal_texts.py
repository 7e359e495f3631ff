"""Refusals speak of the model in its own names, and advise only what can be done here."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from caimi.errors.inference import ModelNotRunnable
from caimi.inference.wasm.compiling.compiler import translate
from caimi.inference.wasm.compiling.explained import explained
from caimi.inference.wasm.compiling.variants import SIMD

NAMES = {"t66": "decoder/attention.scores", "t7": "x"}
DYNAMIC = (
    "Code generation requires static shapes. Reason: tensor 't66' has dynamic dimensions "
    "('unk__0', 'unk__1'). Hint: pin dynamic input dimensions with --input-dim (e.g. --input-dim "
    "batch=1) or export the model with static shapes."
)
LOWERING = (
    "Unsupported Einsum equation 'i,j->ij' (while lowering node_index=27, op_type=Einsum, "
    "name=n27, inputs=[t7: tensor[dtype=float, shape=(20,), dim_params=(None,)]], outputs=[])"
)
VALIDATING = (
    "ExpandOp does not support dynamic dims (during validate for node_index=31, op_type=Expand, "
    "name=n31, op_class=ExpandOp, inputs=[])"
)
NEGATIVE = "Negative dimension -4 at index 1 for value 't66'. Hint: export with static shapes."


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (DYNAMIC, "'decoder/attention.scores' has a size that only a run shows."),
        (LOWERING, "Einsum: Unsupported Einsum equation 'i,j->ij'."),
        (NEGATIVE, "Negative dimension -4 at index 1 for value 'decoder/attention.scores'."),
        (VALIDATING, "Expand: a size that only a run shows."),
        ("Something of t9000", "Something of t9000."),
    ],
)
def test_the_generators_words_become_ours(said: str, told: str) -> None:
    assert explained(said, NAMES) == told


def test_a_refusal_names_the_models_own_tensor(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("NonZero", ["chosen rows"], ["places found"]),
        helper.make_node("Transpose", ["places found"], ["turned"], perm=[1, 0]),
        helper.make_node("GatherND", ["table", "turned"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("chosen rows", TensorProto.BOOL, [3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n"])],
        [numpy_helper.from_array(np.ones(3, np.float32), "table")],
    )
    file = tmp_path / "model.onnx"
    opsets = [helper.make_opsetid("", 18)]
    file.write_bytes(
        helper.make_model(graph, ir_version=9, opset_imports=opsets).SerializeToString()
    )
    with pytest.raises(ModelNotRunnable) as refused:
        translate(file, SIMD)
    said = refused.value.what
    assert "places found" in said or "NonZero" in said or "NonZero" in str(refused.value)
    for never in ("--input-dim", "Hint", "node_index", "unk__", "op_class"):
        assert never not in said
    assert not re.search(r"\b[tn][0-9]+\b", said)
