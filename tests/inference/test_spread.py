"""How far right answers of a model lie apart is measured, and is what a comparison allows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnx_models import model, saved, value

from caimi.errors.inference import RunFailed
from caimi.inference.onnx_engine import OnnxEngine
from caimi.inference.spread import MULTIPLE, Spread, measure_spread, spread_of
from caimi.inference.verification import differences

FLOAT = TensorProto.FLOAT
X = np.random.default_rng(3).standard_normal((6, 64)).astype(np.float32)


def steep(times: float = 300.0, leading: int | str = "n") -> ModelProto:
    """A wave so steep that the last digits of its argument are the first of its value."""
    w = np.random.default_rng(0).standard_normal((64, 3)).astype(np.float32)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["p"]),
        helper.make_node("Mul", ["p", "times"], ["q"]),
        helper.make_node("Sin", ["q"], ["y"]),
        helper.make_node("ArgMax", ["y"], ["label"], axis=1, keepdims=0),
    ]
    return model(
        nodes,
        [value("x", FLOAT, [leading, 64])],
        [value("y", FLOAT, [leading, 3]), value("label", TensorProto.INT64, [leading])],
        [numpy_helper.from_array(w, "w"), numpy_helper.from_array(np.float32(times), "times")],
    )


def centred() -> ModelProto:
    """Rows less their mean: what a row gives depends on the others."""
    nodes = [
        helper.make_node("ReduceMean", ["x", "axes"], ["m"]),
        helper.make_node("Sub", ["x", "m"], ["y"]),
    ]
    axes = numpy_helper.from_array(np.array([0]), "axes")
    return model(nodes, [value("x", FLOAT, ["n", 64])], [value("y", FLOAT, ["n", 64])], [axes])


def test_what_a_model_makes_of_the_last_digits_is_measured(tmp_path: Path):
    spread = measure_spread(saved(tmp_path, steep()), {"x": X})
    assert 1e-4 < spread.largest["y"] < 1e-2
    even = measure_spread(saved(tmp_path, steep(0.3)), {"x": X})
    assert 100 * even.largest["y"] < spread.largest["y"]
    assert spread.allowed("y") == MULTIPLE * spread.largest["y"]


def test_every_way_is_taken_where_rows_stay_apart(tmp_path: Path):
    ways = measure_spread(saved(tmp_path, steep()), {"x": X}).ways
    assert set(ways) == {
        "two threads",
        "no optimisation",
        "last places",
        "rows beside copies",
        "rows one by one",
    }


def test_a_fixed_batch_has_no_other_batch(tmp_path: Path):
    ways = measure_spread(saved(tmp_path, steep(leading=6)), {"x": X}).ways
    assert set(ways) == {"two threads", "no optimisation", "last places"}


def test_rows_that_depend_on_each_other_widen_nothing(tmp_path: Path):
    spread = measure_spread(saved(tmp_path, centred()), {"x": X})
    assert "rows one by one" not in spread.ways
    assert spread.largest["y"] < 1e-5


def test_an_honest_answer_of_another_order_of_sums_is_no_difference(tmp_path: Path):
    file = saved(tmp_path, steep())
    again = OnnxEngine().load(file).run({"x": X})
    spread = measure_spread(file, {"x": X})
    other = {**again, "y": again["y"] + np.float32(spread.largest["y"] * 2)}
    assert differences(again, other) == ["y"]
    assert differences(again, other, spread) == []


def test_a_wrong_answer_is_one_all_the_same(tmp_path: Path):
    file = saved(tmp_path, steep())
    again = OnnxEngine().load(file).run({"x": X})
    spread = measure_spread(file, {"x": X})
    off = {**again, "y": again["y"] + np.float32(spread.largest["y"] * (MULTIPLE + 1))}
    assert differences(again, off, spread) == ["y"]
    labels = {**again, "label": (again["label"] + 1) % 3}
    assert differences(again, labels, spread) == ["label"]


def test_a_label_may_differ_only_where_it_did_here():
    again = {"label": np.array([0, 1, 2])}
    loose = Spread({}, {"label": np.array([False, True, False])}, ("two threads",))
    assert differences(again, {"label": np.array([0, 2, 2])}, loose) == []
    assert differences(again, {"label": np.array([1, 1, 2])}, loose) == ["label"]
    assert differences(again, {"label": np.array([0, 1])}, loose) == ["label"]


def test_what_no_number_stands_for_is_no_distance(tmp_path: Path):
    x = X.copy()
    x[0, 0], x[1, 0] = np.nan, np.inf
    spread = measure_spread(saved(tmp_path, steep()), {"x": x})
    assert np.isfinite(spread.largest["y"])


def test_only_a_model_that_lies_here_can_be_measured(tmp_path: Path):
    session = OnnxEngine().load(saved(tmp_path, steep()))
    assert spread_of(None, {"x": X}) is None
    assert spread_of(session, None) is None
    measure = spread_of(session, {"x": X})
    assert measure is not None
    assert measure().largest["y"] > 0
    session.model = None
    assert spread_of(session, {"x": X}) is None


def test_an_input_that_the_model_refuses_is_an_error_and_no_spread(tmp_path: Path):
    nodes = [helper.make_node("Gather", ["t", "x"], ["y"])]
    table = numpy_helper.from_array(np.ones(3, np.float32), "t")
    graph = model(
        nodes, [value("x", TensorProto.INT64, ["n"])], [value("y", FLOAT, ["n"])], [table]
    )
    with pytest.raises(RunFailed):
        measure_spread(saved(tmp_path, graph), {"x": np.array([7])})
