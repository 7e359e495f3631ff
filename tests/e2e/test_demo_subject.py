"""A user's model in the demonstration: inputs that fit it, and words for what was not proved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from caimi.demo.report import DemoStep, Report
from caimi.demo.reproducing import reproduce
from caimi.demo.subject import own_subject
from caimi.errors.inference import WrongInput
from caimi.errors.node import DemoFailed
from caimi.inference.onnx_engine import OnnxEngine

FLOAT, INT = TensorProto.FLOAT, TensorProto.INT64


def saved(folder: Path, model: ModelProto) -> Path:
    file = folder / "mine.onnx"
    file.write_bytes(model.SerializeToString())
    return file


def made(nodes: list, inputs: list, outputs: list, weights: dict | None = None) -> ModelProto:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(*each) for each in inputs],
        [helper.make_tensor_value_info(*each) for each in outputs],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in (weights or {}).items()],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def state_of_one_batch() -> ModelProto:
    """An open batch beside a state of one row: noise of eight rows does not fit it."""
    nodes = [helper.make_node("Concat", ["x", "state"], ["y"], axis=1)]
    inputs = [("x", FLOAT, ["batch", "width"]), ("state", FLOAT, [1, 2])]
    return made(nodes, inputs, [("y", FLOAT, ["batch", "wide"])])


def test_noise_fits_open_sizes(tmp_path: Path):
    subject = own_subject(saved(tmp_path, state_of_one_batch()))
    assert subject.inputs["x"].shape == (1, 8)
    assert subject.inputs["state"].shape == (1, 2)


def test_noise_is_wide_enough_to_leave_something(tmp_path: Path):
    node = helper.make_node("Slice", ["x", "first", "last", "axis"], ["y"])
    weights = {"first": np.array([40]), "last": np.array([10**6]), "axis": np.array([2])}
    model = made([node], [("x", FLOAT, [1, 1, "n"])], [("y", FLOAT, [1, 1, "m"])], weights)
    assert own_subject(saved(tmp_path, model)).inputs["x"].shape[2] > 40


def test_several_inputs_of_whole_numbers_share_their_sizes(tmp_path: Path):
    nodes = [
        helper.make_node("Add", ["ids", "mask"], ["sum"]),
        helper.make_node("Gather", ["table", "sum"], ["y"]),
    ]
    inputs = [("ids", INT, ["b", "s"]), ("mask", INT, ["b", "s"])]
    table = {"table": np.ones((3, 2), np.float32)}
    model = made(nodes, inputs, [("y", FLOAT, ["b", "s", 2])], table)
    found = own_subject(saved(tmp_path, model)).inputs
    assert found["ids"].shape == found["mask"].shape == (8, 8)
    assert found["ids"].dtype == np.int64


def test_a_given_input_is_taken(tmp_path: Path):
    np.save(tmp_path / "rows.npy", np.ones((3, 2), np.float32))
    node = helper.make_node("Relu", ["x"], ["y"])
    model = made([node], [("x", FLOAT, ["n", 2])], [("y", FLOAT, ["n", 2])])
    subject = own_subject(saved(tmp_path, model), tmp_path / "rows.npy")
    assert subject.inputs["x"].shape == (3, 2)
    assert "rows.npy" in subject.judge({"y": subject.inputs["x"]})


def test_strings_are_refused_by_name_with_what_to_do(tmp_path: Path):
    node = helper.make_node("Identity", ["words"], ["y"])
    text = TensorProto.STRING
    model = made([node], [("words", text, ["n"])], [("y", text, ["n"])])
    with pytest.raises(WrongInput, match=r"'words' of type string.*--input"):
        own_subject(saved(tmp_path, model))


def test_a_model_that_no_usual_noise_fits_says_what_it_takes(tmp_path: Path):
    node = helper.make_node("Gather", ["table", "i"], ["y"])
    far = helper.make_node("Add", ["x", "far"], ["i"])
    weights = {"table": np.ones(3, np.float32), "far": np.array(99)}
    model = made([far, node], [("x", INT, ["n"])], [("y", FLOAT, ["n"])], weights)
    with pytest.raises(WrongInput, match=r"No noise of usual sizes fits x int64 \[n\].*--input"):
        own_subject(saved(tmp_path, model))


def test_what_cannot_be_compiled_is_not_called_proved(tmp_path: Path):
    node = helper.make_node("Gelu", ["x"], ["y"], domain="com.microsoft")
    file = saved(tmp_path, made([node], [("x", FLOAT, [2])], [("y", FLOAT, [2])]))
    inputs = {"x": np.ones(2, np.float32)}
    report = Report(lambda step: None)
    with report.step("5 same bits") as step:
        reproduce(file, inputs, OnnxEngine().load(file).run(inputs), step)
    assert step.proved == ""
    assert "com.microsoft.Gelu" in step.missing
    assert report.summary.startswith("0 of 1 steps proved")
    assert "not for this model: 5 same bits" in report.summary
    assert report.as_document()["steps"][0]["not_proved"] == step.missing


def test_a_wrong_answer_fails_the_demonstration(tmp_path: Path):
    node = helper.make_node("Relu", ["x"], ["y"])
    file = saved(tmp_path, made([node], [("x", FLOAT, [2])], [("y", FLOAT, [2])]))
    with pytest.raises(DemoFailed, match="differ in y"):
        reproduce(
            file, {"x": np.ones(2, np.float32)}, {"y": np.zeros(2, np.float32)}, DemoStep("s", "l")
        )


def test_a_step_that_shows_nothing_fails():
    with pytest.raises(DemoFailed, match="proved nothing"), Report(lambda step: None).step("1"):
        pass
