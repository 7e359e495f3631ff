"""Each function of one number, at its edges and at numbers of every size, against float64's."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from onnx import helper

from caimi.inference.wasm.compiling.variants import VARIANTS
from onnx_fuzz.case import Case, build
from onnx_fuzz.play import module_outputs

erf = np.frompyfunc(math.erf, 1, 1)
FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "Abs": np.abs,
    "Acos": np.arccos,
    "Acosh": np.arccosh,
    "Asin": np.arcsin,
    "Asinh": np.arcsinh,
    "Atan": np.arctan,
    "Atanh": np.arctanh,
    "Ceil": np.ceil,
    "Celu": lambda x: np.where(x < 0, np.expm1(x), x),
    "Cos": np.cos,
    "Cosh": np.cosh,
    "Elu": lambda x: np.where(x < 0, np.expm1(x), x),
    "Erf": lambda x: erf(x).astype(np.float64),
    "Exp": np.exp,
    "Floor": np.floor,
    "HardSigmoid": lambda x: np.clip(0.2 * x + 0.5, 0, 1),
    "HardSwish": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
    "LeakyRelu": lambda x: np.where(x < 0, x * np.float32(0.01), x),
    "Log": np.log,
    "Mish": lambda x: x * np.tanh(np.logaddexp(0, x)),
    "Neg": np.negative,
    "Reciprocal": np.reciprocal,
    "Relu": lambda x: np.where(x < 0, 0, x),
    "Round": np.round,
    "Sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "Selu": lambda x: (
        np.float32(1.05070102214813232421875)
        * np.where(x < 0, np.float32(1.67326319217681884765625) * np.expm1(x), x)
    ),
    "Shrink": lambda x: np.where(np.abs(x) > 0.5, x, 0),
    "Sign": np.sign,
    "Sin": np.sin,
    "Sinh": np.sinh,
    "Softplus": lambda x: np.logaddexp(0, x),
    "Softsign": lambda x: np.where(np.isinf(x), np.nan, x / (1 + np.abs(x))),
    "Sqrt": np.sqrt,
    "Tan": np.tan,
    "Tanh": np.tanh,
    "ThresholdedRelu": lambda x: np.where(x > 1, x, 0),
}


def numbers(dtype: Any) -> Any:
    """Edges, and numbers drawn by their bits, so that every exponent is among them."""
    unsigned, limits = np.dtype(f"u{np.dtype(dtype).itemsize}"), np.finfo(dtype)
    drawn = (
        np.random.default_rng(20261130)
        .integers(0, np.iinfo(unsigned).max, 4096, unsigned, endpoint=True)
        .view(dtype)
    )
    small = np.random.default_rng(7).standard_normal(2048).astype(dtype) * 4
    edges = [0.0, -0.0, 0.5, 1, 1.5, 2, 2.5, 3, 4096, np.inf, limits.max, limits.tiny, limits.eps]
    around = np.asarray([*edges, *np.nextafter(np.asarray([1, 2, 4096], dtype), dtype(0))], dtype)
    return np.concatenate([around, -around, small, drawn, [dtype(np.nan)]]).astype(dtype)


_CANCELLING = frozenset({"Celu", "Elu", "HardSigmoid", "HardSwish", "Selu"})
"""Right as a sum is: within the last bits of its parts."""
_OF_FLOATS = frozenset({"LeakyRelu", "Selu"})
"""Their constants are float32's as well as decimal ones."""


@pytest.mark.parametrize(
    ("dtype", "variant"),
    [(np.float32, "simd"), (np.float32, "mvp"), (np.float32, "f64"), (np.float64, "simd")],
)
def test_every_function_is_right_for_numbers_of_every_size(dtype: Any, variant: str) -> None:
    x, limits = numbers(dtype), np.finfo(dtype)
    x = x[~(np.isfinite(x) & (np.abs(x) > limits.max / 8))]
    cases = {f"{kind}.": alone(helper.make_node(kind, ["x"], ["y"]), x) for kind in FUNCTIONS}
    found = module_outputs(cases, 18, VARIANTS[variant])
    for kind, function in FUNCTIONS.items():
        with np.errstate(all="ignore"):
            right = np.asarray(function(x.astype(np.longdouble)), np.longdouble)
            ours = found[f"{kind}."][0].astype(np.longdouble)
            near = 16 * limits.eps * np.abs(right) + limits.tiny
            if kind in _CANCELLING:
                near += 16 * limits.eps * np.maximum(1, np.abs(x))
            if kind in _OF_FLOATS:
                near += 1e-7 * np.abs(right)
            largest = np.isinf(right.astype(dtype)) & (np.abs(ours) > limits.max / 2)
            same = np.abs(ours - right) <= near
            same |= np.isnan(ours) & np.isnan(right)
            same |= (largest | np.isinf(right)) & (np.sign(ours) == np.sign(right))
        at = np.flatnonzero(~same)[:4]
        assert not at.size, f"{kind} of {x[at]} is {ours[at]}, not {right[at]}"


def alone(node: Any, x: Any, **fixed: Any) -> Case:
    return Case(node.op_type, "", build([node], {"x": x}, fixed, ["y"], 18), {"x": x})


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_no_number_is_greater_or_less_than_nan(dtype: Any) -> None:
    x = np.asarray([[np.nan, 1, -2], [3, np.nan, np.inf], [-np.inf, 0, np.nan]], dtype)
    node, fixed = helper.make_node, {"v": np.asarray([0, np.nan, 1], dtype)}
    bounds = {"l": np.asarray(-1, dtype), "h": np.asarray(1, dtype)}
    cases = {
        "Max.": alone(node("Max", ["x", "v"], ["y"]), x, **fixed),
        "Min.": alone(node("Min", ["x", "v"], ["y"]), x, **fixed),
        "Clip.": alone(node("Clip", ["x", "l", "h"], ["y"]), x, **bounds),
        "ReduceMax.": alone(node("ReduceMax", ["x"], ["y"], keepdims=0), x),
        "ReduceMin.": alone(node("ReduceMin", ["x", "a"], ["y"]), x, a=np.asarray([0])),
        "GlobalMaxPool.": alone(node("GlobalMaxPool", ["x"], ["y"]), x[:, None]),
        "Relu.": alone(node("Relu", ["x"], ["y"]), x),
    }
    with np.errstate(all="ignore"):
        right = {
            "Max.": np.maximum(x, fixed["v"]),
            "Min.": np.minimum(x, fixed["v"]),
            "Clip.": np.clip(x, -1, 1),
            "ReduceMax.": x.max(),
            "ReduceMin.": x.min(0, keepdims=True),
            "GlobalMaxPool.": x[:, None].max(2, keepdims=True),
            "Relu.": np.maximum(x, 0),
        }
    for name, (found,) in module_outputs(cases, 18).items():
        np.testing.assert_array_equal(found, right[name], name)
