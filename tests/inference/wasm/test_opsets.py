"""Classical models of old opsets are converted by the standard's converter, and answer alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, NodeProto, TensorProto, helper
from skl2onnx import to_onnx
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from caimi.errors.inference import ModelNotRunnable
from caimi.inference.onnx_runtime import ort
from caimi.inference.wasm.compiling.compiler import translate
from caimi.inference.wasm.compiling.graph import open_model
from caimi.inference.wasm.compiling.opsets import raise_opset
from caimi.inference.wasm.engine import WasmEngine

X = np.random.default_rng(0).standard_normal((60, 5)).astype(np.float32)
Y = (X[:, 0] + X[:, 1] > 0).astype(int)


def exported(estimator: object, opset: int) -> ModelProto:
    return to_onnx(
        estimator, X[:1], options={"zipmap": False}, target_opset={"": opset, "ai.onnx.ml": 1}
    )


@pytest.mark.parametrize("opset", [9, 11, 12])
def test_a_classical_model_of_an_old_opset_gives_onnx_runtimes_answer(opset: int, tmp_path: Path):
    linear = make_pipeline(StandardScaler(), LogisticRegression())
    trees = RandomForestClassifier(6, max_depth=3, random_state=0)
    for place, estimator in enumerate((linear, trees)):
        model = exported(estimator.fit(X, Y), opset)
        file = tmp_path / f"{place}.onnx"
        file.write_bytes(model.SerializeToString())
        session = WasmEngine().load(file)
        try:
            found = session.run({"X": X})
        finally:
            session.close()
        runtime = ort.InferenceSession(file, providers=["CPUExecutionProvider"])
        label, scores = runtime.run(None, {"X": X})
        np.testing.assert_array_equal(found["label"], label)
        np.testing.assert_allclose(found["probabilities"], scores, atol=1e-6)


def test_a_model_without_classical_operators_stays_as_it_is():
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 9)])
    assert raise_opset(model) is model


def test_what_the_converter_does_not_take_is_refused_by_name(tmp_path: Path):
    model = exported(LogisticRegression().fit(X, Y), 9)
    model.graph.node.append(
        helper.make_node("Upsample", ["u"], ["v"], mode="nearest", scales=[1.0])
    )
    model.graph.input.append(helper.make_tensor_value_info("u", TensorProto.FLOAT, [1]))
    model.opset_import[0].version = 7
    file = tmp_path / "old.onnx"
    file.write_bytes(model.SerializeToString())
    with pytest.raises(ModelNotRunnable):
        open_model(file)


def chosen(node: NodeProto, opset: int) -> ModelProto:
    """A branch that is always taken, of which the result is binarised where the opset is old."""
    sizes = [2, 3, 2]
    x, y, z = (helper.make_tensor_value_info(name, TensorProto.FLOAT, sizes) for name in "xyz")
    branches = {
        "then_branch": helper.make_graph([node], "then", [], [y]),
        "else_branch": helper.make_graph(
            [helper.make_node("Identity", ["x"], ["y"])], "e", [], [y]
        ),
    }
    truth = helper.make_tensor("c", TensorProto.BOOL, [], [True])
    graph = helper.make_graph([helper.make_node("If", ["c"], ["z"], **branches)], "g", [x], [z],
                              [truth])  # fmt: skip
    return helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 1)],
        ir_version=8,
    )


def refused(model: ModelProto, folder: Path) -> str:
    file = folder / "model.onnx"
    file.write_bytes(model.SerializeToString())
    with pytest.raises(ModelNotRunnable) as caught:
        translate(file)
    return caught.value.what


def test_branches_that_the_converter_leaves_as_they_are_are_refused(tmp_path: Path):
    """A Hardmax along axis 1 of three was another thing before opset 13."""
    model = chosen(helper.make_node("Hardmax", ["x"], ["y"], axis=1), 11)
    binarised = helper.make_tensor_value_info("b", TensorProto.FLOAT, [2, 3, 2])
    model.graph.node.append(helper.make_node("Binarizer", ["z"], ["b"], domain="ai.onnx.ml"))
    model.graph.output.append(binarised)
    assert refused(model, tmp_path).startswith("Branches of opset 11")


@pytest.mark.parametrize(
    ("node", "opset", "why"),
    [
        (helper.make_node("RandomUniformLike", ["x"], ["y"]), 13, "its answer is random"),
        (helper.make_node("Dropout", ["x"], ["y"]), 6, "opset 6"),
    ],
)
def test_what_is_refused_by_name_is_refused_within_a_branch(
    node: NodeProto, opset: int, why: str, tmp_path: Path
):
    assert why in refused(chosen(node, opset), tmp_path)


@pytest.mark.parametrize("imports", [[("", 11), ("", 13)], [("", 13), ("ai.onnx", 12)]])
def test_a_model_of_two_opsets_at_once_is_refused(imports: list[tuple[str, int]], tmp_path: Path):
    """ONNX Runtime takes the last, ONNX's own tools the first."""
    model = chosen(helper.make_node("Softmax", ["x"], ["y"], axis=1), 13)
    del model.opset_import[:]
    model.opset_import.extend(helper.make_opsetid(*each) for each in imports)
    assert "is of the opsets" in refused(model, tmp_path)


def test_an_opset_before_7_is_known_by_the_domains_other_name(tmp_path: Path):
    model = chosen(helper.make_node("Dropout", ["x"], ["y"]), 6)
    model.opset_import[0].domain = "ai.onnx"
    assert "opset 6" in refused(model, tmp_path)
