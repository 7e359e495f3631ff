"""Older versions of operators, and operators whose sums overflow: other operators, or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from caimi.errors.inference import ModelNotRunnable
from caimi.inference.wasm.compiling.compiler import translate
from onnx_fuzz.case import Case, build
from onnx_fuzz.oracle import Oracles
from onnx_fuzz.play import module_outputs

n = helper.make_node
X = {"x": np.linspace(-1, 1, 36, dtype=np.float32).reshape(1, 1, 6, 6)}


def refused(
    folder: Path, nodes: list[Any], inputs: dict[str, Any], opset: int, **fixed: Any
) -> str:
    file = folder / "model.onnx"
    outputs = [name for node in nodes for name in node.output]
    file.write_bytes(build(nodes, inputs, fixed, outputs, opset).SerializeToString())
    with pytest.raises(ModelNotRunnable) as caught:
        translate(file)
    return str(caught.value)


def test_operators_of_before_opset_7_are_refused(tmp_path: Path) -> None:
    nodes = [n("Add", ["x", "x"], ["y"])]
    assert "opset 6" in refused(tmp_path, nodes, X, 6)


@pytest.mark.parametrize("training", [True, None])
def test_what_is_dropped_in_training_is_random(tmp_path: Path, training: bool | None) -> None:
    nodes = [n("Dropout", ["x", "r", "t"], ["y"])]
    ratio = np.array(0.3, np.float32)
    if training is None:
        inputs = {**X, "t": np.array(True)}
        assert "Dropout" in refused(tmp_path, nodes, inputs, 13, r=ratio)
    else:
        assert "random" in refused(tmp_path, nodes, X, 13, r=ratio, t=np.array(training))


def test_a_computed_ratio_of_training_is_random_too(tmp_path: Path) -> None:
    nodes = [n("Neg", ["s"], ["r"]), n("Dropout", ["x", "r", "t"], ["y"])]
    inputs = {**X, "s": np.array(-0.3, np.float32)}
    assert "random" in refused(tmp_path, nodes, inputs, 13, t=np.array(True))


def test_a_mask_of_dropout_before_opset_12_is_refused(tmp_path: Path) -> None:
    assert "mask" in refused(tmp_path, [n("Dropout", ["x"], ["y", "m"])], X, 10)


def test_whole_mel_weights_are_refused(tmp_path: Path) -> None:
    node = n("MelWeightMatrix", list("abcde"), ["y"], output_datatype=TensorProto.INT32)
    sizes = {"a": np.array(8), "b": np.array(16), "c": np.array(8192)}
    fixed = sizes | {"d": np.array(0, np.float32), "e": np.array(4096, np.float32)}
    nodes = [node, n("Identity", ["x"], ["z"])]
    assert "MelWeightMatrix" in refused(tmp_path, nodes, X, 17, **fixed)


def test_the_log_of_sums_of_whole_numbers_is_refused(tmp_path: Path) -> None:
    nodes = [n("ReduceLogSumExp", ["x"], ["y"], axes=[0])]
    assert "integers" in refused(tmp_path, nodes, {"x": np.array([1, 2])}, 13)


def test_a_split_of_other_sizes_than_its_outputs_is_refused_and_dropout_of_any_ratio_is_not(
    tmp_path: Path,
) -> None:
    nodes = [n("Split", ["x"], ["y", "z"], axis=3, split=[2, 4])]
    assert "Split" in refused(tmp_path, nodes, X, 11)
    file = tmp_path / "model.onnx"
    model = build([n("Dropout", ["x"], ["y"], ratio=0.25)], X, {}, ["y"], 11)
    file.write_bytes(model.SerializeToString())
    translate(file)


@pytest.mark.parametrize("mode", ["avg", "max"])
def test_roi_align_before_opset_16_does_not_shift_by_half_a_pixel(mode: str) -> None:
    node = n("RoiAlign", ["x", "r", "b"], ["y"], output_height=2, output_width=3, mode=mode,
             sampling_ratio=2)  # fmt: skip
    fixed = {"r": np.array([[0, 0, 4, 3]], np.float32), "b": np.array([0])}
    made = Case("RoiAlign", "", build([node], X, fixed, ["y"], 10), X)
    oracles = Oracles()
    try:
        right = oracles.runtime(made.model, X)
    finally:
        oracles.close()
    np.testing.assert_allclose(module_outputs({"r.": made}, 10)["r."][0], right[0], rtol=1e-4)


@pytest.mark.parametrize("keep", [-1, 2])
def test_a_flag_that_is_neither_0_nor_1_is_refused(tmp_path: Path, keep: int) -> None:
    nodes = [n("ReduceL1", ["x"], ["y"], keepdims=keep)]
    assert f"keepdims is {keep}" in refused(tmp_path, nodes, X, 13)


@pytest.mark.parametrize("kind", ["MaxPool", "AveragePool"])
def test_dilated_windows_with_pads_to_the_same_size_are_refused(tmp_path: Path, kind: str) -> None:
    node = n(kind, ["x"], ["y"], kernel_shape=[2, 2], dilations=[2, 1], auto_pad="SAME_UPPER")
    assert "dilated" in refused(tmp_path, [node], X, 19)


def test_a_batch_normalisation_with_infinite_factors_is_refused(tmp_path: Path) -> None:
    ones = np.ones(1, np.float32)
    node = n("BatchNormalization", ["x", "s", "b", "m", "v"], ["y"])
    for wrong in (
        {"s": ones * np.inf},
        {"m": ones * np.float32(3e38), "s": ones * 9},
        {"v": -ones},
    ):
        fixed = {"s": ones, "b": ones, "m": ones, "v": ones, **wrong}
        assert "not finite" in refused(tmp_path, [node], X, 15, **fixed)


def test_an_offset_of_no_number_or_far_out_leads_out_of_the_image() -> None:
    x = np.arange(9, dtype=np.float32).reshape(1, 1, 3, 3)
    outside = [np.inf, -np.inf, np.nan, 3e38, -3e38, 2**31, 40_000, -7, 8]
    cases = {}
    for place, far in enumerate(outside):
        offset = np.zeros((1, 2, 3, 3), np.float32)
        offset[0, place % 2, 1, 1] = far
        node = n("DeformConv", ["x", "w", "o"], ["y"], kernel_shape=[1, 1])
        model = build([node], {"x": x, "o": offset}, {"w": np.ones((1, 1, 1, 1), "f")}, ["y"], 19)
        cases[f"c{place}."] = Case("DeformConv", "", model, {"x": x, "o": offset})
    right = x.copy()
    right[0, 0, 1, 1] = 0
    for name, (found,) in module_outputs(cases, 19).items():
        np.testing.assert_array_equal(found, right, name)


def test_an_image_as_large_as_the_greatest_offset_is_refused(tmp_path: Path) -> None:
    inputs = {"x": np.zeros((1, 1, 1, 9000), "f"), "o": np.zeros((1, 2, 1, 9000), "f")}
    node = n("DeformConv", ["x", "w", "o"], ["y"], kernel_shape=[1, 1])
    assert "8192" in refused(tmp_path, [node], inputs, 19, w=np.ones((1, 1, 1, 1), "f"))


@pytest.mark.parametrize("kind", ["GRU", "LSTM", "RNN"])
def test_a_clip_that_is_not_above_zero_is_refused(tmp_path: Path, kind: str) -> None:
    gates = {"GRU": 3, "LSTM": 4, "RNN": 1}[kind]
    inputs = {"x": np.ones((1, 1, 2), np.float32)}
    weights = {"w": np.ones((1, 2 * gates, 2), "f"), "r": np.ones((1, 2 * gates, 2), "f")}
    for clip in (0.0, -1.0):
        node = n(kind, ["x", "w", "r"], ["y"], hidden_size=2, clip=clip)
        assert "clip" in refused(tmp_path, [node], inputs, 14, **weights)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_numbers_but_zero_are_true(kind: Any) -> None:
    x = np.asarray([0, -0.0, 1e-7, -3, np.nan, np.inf], kind)
    right = [False, False, True, True, True, True]
    like = n("CastLike", ["x", "t"], ["y"])
    cases = {
        "cast.": build([n("Cast", ["x"], ["y"], to=TensorProto.BOOL)], {"x": x}, {}, ["y"], 19),
        "like.": build([like], {"x": x}, {"t": np.asarray(True)}, ["y"], 19),
    }
    found = module_outputs({k: Case("Cast", "", model, {"x": x}) for k, model in cases.items()}, 19)
    assert all(outputs[0].tolist() == right for outputs in found.values())


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_reduction_over_no_axes_still_computes(dtype: Any) -> None:
    x = np.asarray([[0.5, 2, 3], [-1, 4, 0.25]], dtype)
    with np.errstate(invalid="ignore"):
        right = {
            **dict.fromkeys(("ReduceL1", "ReduceL2"), np.abs(x)),
            "ReduceLogSum": np.log(x),
            "ReduceSumSquare": x * x,
            **dict.fromkeys(("ReduceSum", "ReduceMax", "ReduceMean", "ReduceLogSumExp"), x),
        }
    cases = {}
    for kind in right:
        for ending, names, fixed in (("", ["x"], {}), ("/a", ["x", "a"], {"a": np.zeros(0, int)})):
            node = n(kind, names, ["y"], noop_with_empty_axes=1)
            model = build([node], {"x": x}, fixed, ["y"], 18)
            cases[f"{kind}{ending}."] = Case(kind, "", model, {"x": x})
    for name, (found,) in module_outputs(cases, 18).items():
        wanted = right[name.strip(".").split("/")[0]]
        np.testing.assert_allclose(found, wanted, rtol=1e-3 if dtype is np.float16 else 1e-6)


@pytest.mark.parametrize("kind", ["ReduceMax", "ReduceMin"])
def test_a_greatest_float64_is_not_taken_where_nan_cannot_be_found(
    tmp_path: Path, kind: str
) -> None:
    assert "opset 9" in refused(tmp_path, [n(kind, ["x"], ["y"])], {"x": np.ones(3)}, 8)


@pytest.mark.parametrize("kind", ["BlackmanWindow", "HammingWindow", "HannWindow"])
def test_windows_of_whole_numbers_are_refused(tmp_path: Path, kind: str) -> None:
    node = n(kind, ["k"], ["y"], output_datatype=TensorProto.INT32)
    assert "whole" in refused(tmp_path, [node], {}, 17, k=np.array(10))


def test_what_divides_by_zero_or_reverses_along_other_axes_is_refused(tmp_path: Path) -> None:
    assert "alpha" in refused(tmp_path, [n("Celu", ["x"], ["y"], alpha=0.0)], X, 12)
    node = n("ReverseSequence", ["x", "k"], ["y"], time_axis=-2)
    inputs = {"x": np.ones((4, 4), np.float32)}
    assert "axes" in refused(tmp_path, [node], inputs, 10, k=np.array([1, 2, 3, 4]))


@pytest.mark.parametrize("kind", ["NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"])
def test_a_mean_of_losses_over_nothing_is_no_number(kind: str) -> None:
    """Targets that are all passed over, or classes without weight."""
    scores = np.linspace(-1, 1, 15, dtype=np.float32).reshape(3, 5)
    outside, inside = np.full(3, -1), np.full(3, 2)
    weights = {"w": np.asarray([1, 1, 0, 1, 1], np.float32)}
    cases = {}
    for name, ignored, target, fixed in (
        ("outside.", -1, outside, {}),
        ("inside.", 2, inside, {}),
        ("weightless.", None, inside, weights),
    ):
        node = n(kind, ["x", "t", *fixed], ["y"], ignore_index=ignored)
        inputs = {"x": scores, "t": target}
        cases[name] = Case(kind, "", build([node], inputs, fixed, ["y"], 13), inputs)
    assert all(np.isnan(outputs[0]) for outputs in module_outputs(cases, 13).values())
