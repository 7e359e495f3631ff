"""What the compiler computes of constants has the bits that ONNX Runtime gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from caimi.inference.onnx_runtime import ort
from caimi.inference.wasm.compiling import exact

OPSETS = [helper.make_opsetid("", 18)]
Case = tuple[str, list[Any], dict[str, Any]]
Noise = np.random.Generator
SEEDS = range(6)


def whole(noise: Noise, *shape: int, low: int = -7, high: int = 8) -> np.ndarray:
    return noise.integers(low, high, shape)


def floats(noise: Noise, *shape: int) -> np.ndarray:
    return noise.standard_normal(shape).astype(np.float32)


def numbers(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def either(noise: Noise, *shape: int) -> np.ndarray:
    return floats(noise, *shape) if noise.random() < 0.5 else whole(noise, *shape)


def truth(noise: Noise, *shape: int) -> np.ndarray:
    return noise.random(shape) < 0.5


def two(kind: str, make: Callable[..., np.ndarray]) -> Callable[[Noise], Case]:
    def case(noise: Noise) -> Case:
        left = make(noise, 3, 4)
        right = make(noise, *([4], [3, 1], [1])[int(noise.integers(3))]).astype(left.dtype)
        return kind, [left, right], {}

    return case


def one(kind: str, make: Callable[..., np.ndarray], **attributes: Any) -> Callable[[Noise], Case]:
    return lambda noise: (kind, [make(noise, 2, 3)], attributes)


def _divided(noise: Noise) -> Case:
    left = either(noise, 9)
    right = floats(noise, 9) if left.dtype.kind == "f" else whole(noise, 9, low=1) * 2 - 7
    return "Div", [left, right], {}


def _sliced(noise: Noise) -> Case:
    start, end = whole(noise, 2, low=-9, high=9), whole(noise, 2, low=-9, high=9)
    steps = np.array([1, -2])[noise.integers(0, 2, 2)]
    return "Slice", [whole(noise, 5, 6), start, end, numbers(0, 1), steps], {}


CASES: dict[str, Callable[[Noise], Case]] = {
    **{kind: two(kind, either) for kind in ("Add", "Sub", "Mul", "Equal", "Less", "Greater")},
    **{kind: two(kind, either) for kind in ("LessOrEqual", "GreaterOrEqual", "Max", "Min")},
    **{kind: two(kind, truth) for kind in ("And", "Or", "Xor")},
    **{kind: one(kind, either) for kind in ("Abs", "Neg", "Sign", "Identity")},
    **{kind: one(kind, floats) for kind in ("Ceil", "Floor")},
    "Sqrt": lambda noise: ("Sqrt", [np.abs(floats(noise, 5))], {}),
    "Not": one("Not", truth),
    "Div": _divided,
    "Mod": lambda noise: ("Mod", [whole(noise, 9), whole(noise, 9, low=1) * 2 - 7], {}),
    "Slice": _sliced,
    "Concat": lambda noise: ("Concat", [whole(noise, 2, 3), whole(noise, 2, 1)], {"axis": -1}),
    "ConstantOfShape": lambda noise: (
        "ConstantOfShape",
        [numbers(2, 3)],
        {"value": numpy_helper.from_array(np.array([4]))},
    ),
    "Expand": lambda noise: ("Expand", [whole(noise, 3, 1), numbers(2, 1, 4)], {}),
    "Flatten": one("Flatten", whole, axis=1),
    "Gather": lambda noise: ("Gather", [whole(noise, 4, 3), numbers(-1, 2)], {"axis": 0}),
    "GatherElements": lambda noise: (
        "GatherElements",
        [whole(noise, 3, 3), whole(noise, 2, 3, low=-3, high=3)],
        {"axis": 0},
    ),
    "GatherND": lambda noise: ("GatherND", [whole(noise, 2, 3), numbers(1, -1)], {}),
    "NonZero": one("NonZero", truth),
    "Pad": lambda noise: ("Pad", [whole(noise, 2, 3), numbers(0, 1, 2, 0), numbers(5)[0]], {}),
    "Range": lambda noise: ("Range", [np.int64(-3), np.int64(9), np.int64(4)], {}),
    "Reshape": lambda noise: ("Reshape", [whole(noise, 2, 6), numbers(0, -1, 2)], {}),
    "ScatterElements": lambda noise: (
        "ScatterElements",
        [whole(noise, 3, 3), numbers(1, 0, 2)[None], whole(noise, 1, 3)],
        {"axis": 0},
    ),
    "ScatterND": lambda noise: (
        "ScatterND",
        [whole(noise, 5), numbers(1, 3)[:, None], whole(noise, 2)],
        {},
    ),
    "Split": lambda noise: ("Split", [whole(noise, 5), numbers(2, 3)], {"axis": 0}),
    "Squeeze": lambda noise: ("Squeeze", [whole(noise, 1, 3, 1), numbers(0)], {}),
    "Unsqueeze": lambda noise: ("Unsqueeze", [whole(noise, 3), numbers(0, 2)], {}),
    "Tile": lambda noise: ("Tile", [whole(noise, 2, 3), numbers(2, 2)], {}),
    "Transpose": one("Transpose", whole, perm=[1, 0]),
    "Trilu": lambda noise: ("Trilu", [whole(noise, 3, 4), np.int64(-1)], {"upper": 0}),
    "Where": lambda noise: ("Where", [truth(noise, 2, 3), whole(noise, 3), whole(noise, 2, 3)], {}),
    "Cast": lambda noise: ("Cast", [floats(noise, 9) * 5], {"to": int(noise.choice([7, 6, 11]))}),
    "CastLike": lambda noise: ("CastLike", [whole(noise, 4), np.float32(1)], {}),
    "EyeLike": one("EyeLike", whole),
    "CumSum": lambda noise: ("CumSum", [whole(noise, 3, 4), np.int64(1)], {"reverse": 1}),
    "ReduceMax": lambda noise: ("ReduceMax", [whole(noise, 2, 3), numbers(1)], {"keepdims": 0}),
    "ReduceMin": one("ReduceMin", whole),
    "ReduceProd": one("ReduceProd", whole, keepdims=0),
    "ReduceSum": lambda noise: ("ReduceSum", [whole(noise, 2, 3), numbers(1)], {"keepdims": 0}),
}


def evaluated(case: Case) -> tuple[Any, dict[str, np.ndarray], tuple[np.ndarray, ...] | None]:
    kind, inputs, attributes = case
    names = [f"x{place}" for place in range(len(inputs))]
    outputs = ["y0", "y1"] if kind == "Split" else ["y0"]
    node = helper.make_node(kind, names, outputs, **attributes)
    given = dict(zip(names, map(np.asarray, inputs), strict=True))
    return node, given, exact.evaluate(node, given, OPSETS)


def by_onnx_runtime(node: Any, given: dict[str, np.ndarray]) -> list[np.ndarray]:
    values = [
        helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape
        )
        for name, value in given.items()
    ]
    outputs = [onnx.ValueInfoProto(name=name) for name in node.output]
    graph = helper.make_graph([node], "g", values, outputs)
    model = helper.make_model(graph, opset_imports=OPSETS, ir_version=9)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, given)


@pytest.mark.parametrize("kind", sorted(CASES))
def test_a_constants_value_is_onnx_runtimes(kind: str):
    for seed in SEEDS:
        node, given, found = evaluated(CASES[kind](np.random.default_rng([seed, *kind.encode()])))
        assert exact.is_exact(node)
        assert found is not None
        for mine, right in zip(found, by_onnx_runtime(node, given), strict=True):
            assert mine.dtype == right.dtype
            assert mine.shape == right.shape
            assert mine.tobytes() == right.tobytes(), (given, mine, right)


def test_every_operator_that_is_evaluated_has_a_case():
    assert set(CASES) == exact._MOVES | exact._ELEMENTWISE | exact._WHOLE_ONLY


@pytest.mark.parametrize(
    "case",
    [
        ("ReduceSum", [np.ones(3, np.float32)], {}),
        ("CumSum", [np.ones(3, np.float32), np.int64(0)], {}),
        ("Div", [numbers(1, 2), numbers(1, 0)], {}),
        ("Div", [numbers(-(2**63)), numbers(-1)], {}),
        ("Mod", [numbers(1, 2), numbers(1, 0)], {}),
        ("Sqrt", [np.float32(-1)], {}),
        ("Cast", [np.array([1e30], np.float32)], {"to": 7}),
        ("Add", [np.ones(3, np.float16), np.ones(3, np.float16)], {}),
        ("Expand", [np.ones(1, np.float32), numbers(exact.MAX_FLOATS + 1)], {}),
    ],
)
def test_what_machines_differ_on_and_what_is_large_is_left_to_the_module(case: Case):
    assert evaluated(case)[2] is None


@pytest.mark.parametrize("kind", ["Exp", "Softmax", "MatMul", "RandomNormalLike", "Pow"])
def test_inexact_operators_are_not_evaluated(kind: str):
    assert not exact.is_exact(helper.make_node(kind, ["x"], ["y"]))
    assert not exact.is_exact(helper.make_node("Add", ["x", "x"], ["y"], domain="com.example"))
