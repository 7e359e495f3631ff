"""Answers that were once wrong: all in one module for each opset, compared with what is right."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from onnx import helper

from caimi.inference.wasm.compiling.variants import VARIANTS
from onnx_fuzz.case import Case, build
from onnx_fuzz.play import module_outputs

n = helper.make_node
half, single = np.float16, np.float32
Wanted = dict[str, Any]


def case(
    nodes: list[Any], inputs: Wanted, right: list[Any], opset: int, **fixed: Any
) -> tuple[Case, list[Any]]:
    outputs = list(dict.fromkeys(name for node in nodes for name in node.output))
    wanted = outputs[-len(right) :] if right else outputs
    return Case("known", "", build(nodes, inputs, fixed, wanted, opset), inputs), right


def tens(*shape: int) -> Any:
    return np.full(shape, 10, half)


def outlet(name: str, opset: int) -> tuple[Case, list[Any]]:
    """A product, and one of what it reads as a second output."""
    x, w = np.ones((1, 2), single), np.array([[1, 2], [3, 4]], single)
    model = build([n("MatMul", ["x", "w"], ["y"])], {"x": x}, {"w": w}, ["y", name], opset)
    return Case("known", "", model, {"x": x}), [x @ w, {"x": x, "w": w}[name]]


def constant_outlet(opset: int) -> tuple[Case, list[Any]]:
    x, w = np.ones((1, 2), single), np.array([[1, 2], [3, 4]], single)
    value = helper.make_tensor("value", 1, [2, 2], w.reshape(-1).tolist())
    nodes = [n("Constant", [], ["w"], value=value), n("MatMul", ["x", "w"], ["y"])]
    return Case("known", "", build(nodes, {"x": x}, {}, ["w", "y"], opset), {"x": x}), [w, x @ w]


def fused(reader: list[Any], right: list[Any], **more: Any) -> tuple[Case, list[Any]]:
    """MatMul and Add, read by one operator of several outputs."""
    weights = {"w": np.ones((4, 6), single), "b": np.ones(6, single)}
    nodes = [n("MatMul", ["x", "w"], ["h"]), n("Add", ["h", "b"], ["g"]), *reader]
    return case(nodes, {"x": np.ones((2, 4), single)}, right, 13, **weights, **more)


def named_like_ours(name: str) -> tuple[Case, list[Any]]:
    """y = bn(x) + 100 x, with `name` for the product."""
    parts = {"s": np.ones(1, single), "z": np.zeros(1, single), "m": np.zeros(1, single)}
    nodes = [
        n("Mul", ["x", "k"], [name]),
        n("BatchNormalization", ["x", "s", "z", "m", "v"], ["bn"]),
        n("Add", ["bn", name], ["y"]),
    ]
    fixed = parts | {"v": np.full(1, 1 - 1e-5, single), "k": single(100)}
    return case(nodes, {"x": np.array([[[1, 2]]], single)}, [[[[101, 202]]]], 13, **fixed)


_FIVES = np.full((2, 2), 5, single)
CASES: dict[int, dict[str, tuple[Case, list[Any]]]] = {
    13: {
        "float16: softmax of many equal scores": case(
            [n("Softmax", ["x"], ["y"])], {"x": np.zeros((1, 4096), half)},
            [np.full((1, 4096), 1 / 4096)], 13,
        ),
        "float16: an average of many tens": case(
            [n("GlobalAveragePool", ["x"], ["y"])], {"x": tens(1, 1, 100, 100)},
            [tens(1, 1, 1, 1)], 13,
        ),
        "float16: a mean of many tens": case(
            [n("ReduceMean", ["x"], ["y"], axes=[1])], {"x": tens(1, 9000)}, [tens(1, 1)], 13
        ),
        "float16: a norm": case(
            [n("ReduceL2", ["x"], ["y"], axes=[1])], {"x": tens(1, 900)}, [[[300]]], 13
        ),
        "float16: a running sum": case(
            [n("CumSum", ["x", "a"], ["y"])], {"x": np.ones(3000, half)},
            [np.arange(1, 3001).astype(half)], 13, a=np.array(0),
        ),
        "float16: a transposed convolution": case(
            [n("ConvTranspose", ["x", "w"], ["y"])], {"x": np.ones((1, 3000, 1), half)},
            [[[[3000]]]], 13, w=np.ones((3000, 1, 1), half),
        ),
        "float16: a product": case(
            [n("MatMul", ["x", "w"], ["y"])], {"x": np.ones((1, 3000), half)}, [[[3000]]], 13,
            w=np.ones((3000, 1), half),
        ),
        "an initializer as an output": outlet("w", 13),
        "an input as an output": outlet("x", 13),
        "a constant as an output": constant_outlet(13),
        "ReduceLogSumExp of large scores": case(
            [n("ReduceLogSumExp", ["x"], ["y"], axes=[1])], {"x": np.full((1, 2), 100, single)},
            [[[100 + np.log(2)]]], 13,
        ),
        "ReduceLogSumExp of small scores, its axis dropped": case(
            [n("ReduceLogSumExp", ["x"], ["y"], axes=[1], keepdims=0)],
            {"x": np.full((1, 2), -200, single)}, [[-200 + np.log(2)]], 13,
        ),
        "ReduceLogSumExp of nothing likely": case(
            [n("ReduceLogSumExp", ["x"], ["y"])], {"x": np.full((2, 2), -np.inf, single)},
            [[[-np.inf]]], 13,
        ),
        "a power of whole numbers by a fraction": case(
            [n("Pow", ["x", "p"], ["y"])], {"x": np.array([4, 20], np.int32)}, [[8, 8000]], 13,
            p=np.array([1.5, 3.0], single),
        ),
        **{f"a product named {name}": named_like_ours(name)
           for name in ("bn/scaled", "bn/factor", "bn/offset")},
        "a fused product and Split": fused(
            [n("Split", ["g", "sizes"], ["q", "k", "v"], axis=1)], [_FIVES] * 3,
            sizes=np.array([2, 2, 2]),
        ),
        "a fused product and TopK": fused(
            [n("TopK", ["g", "one"], ["most", "places"])], [_FIVES[:, :1], np.zeros((2, 1))],
            one=np.array([1]),
        ),
    },
    15: {
        "BatchNormalization in training, its statistics read": case(
            [
                n("BatchNormalization", ["x", "s", "z", "z", "s"], ["y", "m", "v"],
                  training_mode=1, momentum=0.5),
                n("Neg", ["m"], ["negated"]),
                n("Neg", ["v"], ["opposite"]),
            ],
            {"x": np.array([[[1, 3]]], single)}, [[-1], [-1]], 15, s=np.ones(1, single),
            z=np.zeros(1, single),
        ),
    },
    11: {
        "Hardmax-11 over two axes": case(
            [n("Hardmax", ["x"], ["y"])], {"x": np.array([[[1, 2], [5, 4]]], single)},
            [[[[0, 0], [1, 0]]]], 11,
        ),
        "Hardmax-11 over all axes": case(
            [n("Hardmax", ["x"], ["y"], axis=0)], {"x": np.array([[1, 2], [5, 4]], single)},
            [[[0, 0], [1, 0]]], 11,
        ),
    },
}  # fmt: skip


@cache
def answers(opset: int) -> dict[str, list[Any]]:
    cases = {f"k{place}.": case for place, (case, _) in enumerate(CASES[opset].values())}
    return dict(zip(CASES[opset], module_outputs(cases, opset).values(), strict=True))


@pytest.mark.parametrize(
    ("opset", "name"), [(opset, name) for opset, cases in CASES.items() for name in cases]
)
def test_the_answer_is_right(opset: int, name: str) -> None:
    _, right = CASES[opset][name]
    for wanted, given in zip(right, answers(opset)[name], strict=True):
        np.testing.assert_allclose(
            given, np.asarray(wanted), rtol=1e-3 if given.itemsize == 2 else 1e-6
        )


def test_a_bias_that_is_computed_is_added_to_a_convolution_of_int8_weights() -> None:
    x, bias = np.ones((1, 16, 3, 3), single), np.arange(16, dtype=single)
    node = n("Conv", ["x", "w", "b"], ["y"])
    weights = {"w": np.ones((16, 16, 3, 3), single)}
    made, right = case(
        [node], {"x": x, "b": bias}, [(144 + bias).reshape(1, 16, 1, 1)], 13, **weights
    )
    outputs = module_outputs({"k.": made}, 13, VARIANTS["int8"])["k."]
    np.testing.assert_allclose(outputs[0], right[0], rtol=1e-6)


@pytest.mark.parametrize("name", ["y/sums", "y/scale", "y/scaled", "y/bias", "w/int8"])
def test_a_name_like_one_that_quantising_makes_is_left_alone(name: str) -> None:
    x, twos = np.ones((1, 16, 3, 3), single), np.full((1, 16, 1, 1), 2, single)
    nodes = [
        n("Relu", ["o"], [name]),
        n("Conv", ["x", "w", "b"], ["y"]),
        n("Add", ["y", name], ["all"]),
    ]
    weights = {"w": np.ones((16, 16, 3, 3), single), "b": np.ones(16, single)}
    made, right = case(nodes, {"x": x, "o": twos}, [144 + 1 + twos], 13, **weights)
    outputs = module_outputs({"k.": made}, 13, VARIANTS["int8"])["k."]
    np.testing.assert_allclose(outputs[0], right[0], rtol=1e-6)
