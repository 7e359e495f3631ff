"""What is left out of the comparison has no right answer, and what lies next to it is compared."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import helper

from onnx_fuzz.case import Case, build
from onnx_fuzz.oracle import Oracles
from onnx_fuzz.play import _right
from onnx_fuzz.unsettled import unmasked, unsettled

n = helper.make_node
ONES = np.ones(2, np.float32)


def alone(node: Any, x: Any, opset: int, **fixed: Any) -> Case:
    outputs = list(node.output)
    return Case(node.op_type, "", build([node], {"x": x}, fixed, outputs, opset), {"x": x})


def normalised(dtype: Any, **attributes: Any) -> Case:
    names = ["y", "m2", "v2"] if attributes else ["y"]
    node = n("BatchNormalization", list("xsbmv"), names, **attributes)
    x = np.asarray([[np.inf, 1], [2, 3]], dtype)
    return alone(node, x, 15, **dict.fromkeys("sbmv", ONES.astype(dtype)))


def test_infinities_are_compared_where_each_number_has_a_factor() -> None:
    assert not unsettled(normalised(np.float32))
    assert unsettled(normalised(np.float16))
    assert unsettled(normalised(np.float32, training_mode=1))


@pytest.mark.parametrize(
    ("kind", "values", "dtype", "left_out"),
    [
        ("ReduceMax", [2**62, 2**62], np.int64, False),
        ("ReduceSum", [100] * 50, np.int32, False),
        ("ReduceSum", [2**30, 2**30], np.int32, True),
        ("ReduceSum", [2**31, 2**31], np.int64, False),
        ("ReduceSumSquare", [40_000, 40_000], np.int32, True),
        ("ReduceSumSquare", [1_000, 1_000], np.int32, False),
        ("ReduceProd", [2**16, 2**16], np.int32, True),
        ("ReduceProd", [2**16, 2**16], np.int64, False),
        ("ReduceProd", [3**20, 3**20], np.int64, True),
    ],
)
def test_whole_numbers_are_left_out_where_they_overflow(
    kind: str, values: list[int], dtype: Any, left_out: bool
) -> None:
    assert bool(unsettled(alone(n(kind, ["x"], ["y"]), np.asarray(values, dtype), 13))) is left_out


@pytest.mark.parametrize(
    ("values", "left_out"),
    [([1e30, 1e30, 1], False), ([1e-30, 1e-30], False), ([1e30, 1e30, 1e-30, 1e-30], True)],
)
def test_products_are_left_out_where_their_order_decides(
    values: list[float], left_out: bool
) -> None:
    case = alone(n("ReduceProd", ["x"], ["y"]), np.asarray(values, np.float32), 13)
    assert bool(unsettled(case)) is left_out


@pytest.mark.parametrize(("largest", "left_out"), [(11, False), (12, True)])
def test_softplus_of_float16_is_compared_up_to_where_an_exponential_overflows(
    largest: float, left_out: bool
) -> None:
    case = alone(n("Softplus", ["x"], ["y"]), np.asarray([-20, largest], np.float16), 13)
    assert bool(unsettled(case)) is left_out


@pytest.mark.parametrize(
    ("target", "left_out"), [([0, -1], False), ([0, 1], False), ([0, -2], True), ([0, 2], True)]
)
def test_targets_that_are_passed_over_are_compared(target: list[int], left_out: bool) -> None:
    node = n("NegativeLogLikelihoodLoss", ["x", "t"], ["y"], ignore_index=-1)
    case = alone(node, np.ones((2, 2), np.float32), 13, t=np.asarray(target))
    assert bool(unsettled(case)) is left_out


def test_what_need_not_be_sorted_is_compared_as_the_compiler_sorts_it() -> None:
    node = n("TopK", ["x", "k"], ["y", "at"], sorted=0)
    x = np.asarray([3, 1, 2, 7, 5, 9], np.float32)
    assert right(alone(node, x, 11, k=np.asarray([4])))[0].tolist() == [9, 7, 5, 3]


@pytest.mark.parametrize("opset", [7, 22])
def test_of_one_number_nothing_but_the_shift_is_left(opset: int) -> None:
    node = n("InstanceNormalization", list("xsb"), ["y"])
    case = alone(node, np.full((1, 2, 1), 777.7, np.float32), opset, s=ONES, b=ONES / 8)
    assert right(case)[0].reshape(-1).tolist() == [0.125, 0.125]


def right(case: Case) -> list[Any]:
    oracles = Oracles()
    try:
        return _right(case, oracles)
    finally:
        oracles.close()


def test_scores_that_are_masked_are_minus_infinity_as_the_standard_has_them() -> None:
    lowest = np.finfo(np.float32).min
    answer = [np.asarray([1, lowest], np.float32), np.asarray([3])]
    x = np.ones((1, 2, 8), np.float32)
    node = n("Attention", list("xxx"), ["y"], q_num_heads=2, kv_num_heads=2)
    case = Case("Attention", "", build([node], {"x": x}, {}, ["y"], 23), {"x": x})
    assert unmasked(case, answer)[0].tolist() == [1, -np.inf]
    other = alone(n("Relu", ["x"], ["y"]), ONES, 13)
    assert unmasked(other, answer)[0].tolist() == [1, lowest]


@pytest.mark.parametrize(
    ("kind", "dtype", "step", "left_out"),
    [
        ("MaxPool", np.float16, 3, True),
        ("MaxPool", np.float32, 3, False),
        ("MaxPool", np.float16, 1, False),
        ("LpPool", np.float32, 3, True),
    ],
)
def test_windows_smaller_than_their_steps_are_left_out_where_they_are_shifted(
    kind: str, dtype: Any, step: int, left_out: bool
) -> None:
    node = n(kind, ["x"], ["y"], kernel_shape=[1], strides=[step], auto_pad="SAME_UPPER")
    case = alone(node, np.ones((1, 1, 9), dtype), 18)
    assert bool(unsettled(case)) is left_out


def test_infinities_before_the_references_batch_normalisation_are_left_out() -> None:
    node = n("BatchNormalization", list("xsbmv"), ["y"])
    x = np.asarray([[np.inf, 1], [2, 3]], np.float32)
    fixed = dict.fromkeys("sbmv", ONES)
    assert unsettled(alone(node, x, 14, **fixed))
    assert not unsettled(alone(node, x, 15, **fixed))
