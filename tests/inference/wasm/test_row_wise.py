"""Rows are run one by one only where no row can see another."""

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from caimi.inference.wasm.compiling.row_wise import row_symbol

FLOAT = TensorProto.FLOAT


def model(
    nodes: list, *, width: int = 4, outputs: int = 1, weights: dict[str, np.ndarray] | None = None
) -> ModelProto:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", FLOAT, ["rows", width])],
        [helper.make_tensor_value_info(f"y{n}", FLOAT, None) for n in range(outputs)],
        [numpy_helper.from_array(value, name) for name, value in (weights or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def node(kind: str, *inputs: str, out: str = "y0", **attributes):
    return helper.make_node(kind, list(inputs), [out], **attributes)


SQUARE = np.ones((4, 4), np.float32)
APART = {
    "elementwise": ([node("Relu", "x")], {}),
    "a known vector for each row": ([node("Add", "x", "b")], {"b": np.ones(4, np.float32)}),
    "a known row for each row": ([node("Add", "x", "b")], {"b": np.ones((1, 4), np.float32)}),
    "a product with known weights": ([node("MatMul", "x", "w")], {"w": SQUARE}),
    "softmax over a row": ([node("Softmax", "x", axis=-1)], {}),
    "a sum over a row": ([node("ReduceSum", "x", "a")], {"a": np.array([1])}),
    "a row reshaped": ([node("Reshape", "x", "s")], {"s": np.array([-1, 2, 2])}),
    "columns of a row": ([node("Gather", "x", "i", axis=1)], {"i": np.array([0, 2])}),
}
MIXED = {
    "a sum over rows": ([node("ReduceSum", "x", "a")], {"a": np.array([0])}),
    "a sum over everything": ([node("ReduceSum", "x")], {}),
    "softmax over rows": ([node("Softmax", "x", axis=0)], {}),
    "rows transposed": ([node("Transpose", "x", perm=[1, 0])], {}),
    "rows merged": ([node("Reshape", "x", "s")], {"s": np.array([1, -1])}),
    "rows halved": ([node("Reshape", "x", "s")], {"s": np.array([-1, 2])}),
    "rows reversed": (
        [node("Slice", "x", "b", "e", "a", "s")],
        {"b": np.array([-1]), "e": np.array([-9]), "a": np.array([0]), "s": np.array([-1])},
    ),
    "one row for all": ([node("Gather", "x", "i", axis=0)], {"i": np.array([0])}),
    "rows times rows": (
        [node("Transpose", "x", out="t", perm=[1, 0]), node("MatMul", "x", "t")],
        {},
    ),
    "a running sum over rows": ([node("CumSum", "x", "a")], {"a": np.array(0)}),
    "a table that happens to have as many rows": ([node("Add", "x", "b")], {"b": SQUARE[:2]}),
}


@pytest.mark.parametrize("name", APART)
def test_rows_that_cannot_see_each_other_are_run_one_by_one(name):
    nodes, weights = APART[name]
    assert row_symbol(model(nodes, weights=weights)) == "rows"


@pytest.mark.parametrize("name", MIXED)
def test_rows_that_may_see_each_other_are_not(name):
    nodes, weights = MIXED[name]
    assert row_symbol(model(nodes, weights=weights)) is None


def test_training_normalises_over_the_batch():
    vectors = {name: np.ones(4, np.float32) for name in "sbmv"}
    plain = node("BatchNormalization", "x", *"sbmv")
    training = helper.make_node(
        "BatchNormalization", ["x", *"sbmv"], ["y0", "m2", "v2"], training_mode=1
    )
    assert row_symbol(model([plain], weights=vectors)) == "rows"
    assert row_symbol(model([training], weights=vectors)) is None


def test_an_output_without_rows_mixes_them():
    assert row_symbol(model([node("Shape", "x", out="s"), node("Cast", "s", to=FLOAT)])) is None
