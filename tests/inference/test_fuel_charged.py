"""Fuel that a request is charged lies within a tenth of what its run takes, told or counted."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnx_models import model, saved, value

from caimi.inference.meter import Meter
from caimi.inference.metering import fuel_of
from caimi.inference.tensors import Tensors
from caimi.inference.wasm.compiling.compiler import translate
from caimi.inference.wasm.compiling.variants import VARIANTS
from caimi.inference.wasm.engine import WasmEngine

FLOAT, UINT8 = TensorProto.FLOAT, TensorProto.UINT8
n = helper.make_node


def weight(name: str, array: np.ndarray) -> TensorProto:
    return numpy_helper.from_array(array, name)


def noise(*shape: int, seed: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def imputer() -> tuple[ModelProto, Tensors]:
    nodes = [n("IsNaN", ["x"], ["missing"]), n("Where", ["missing", "mean", "x"], ["y"])]
    sizes = [1, 64]
    graph = model(
        nodes, [value("x", FLOAT, sizes)], [value("y", FLOAT, sizes)], [weight("mean", noise(64))]
    )
    return graph, {"x": noise(1, 64)}


def resize() -> tuple[ModelProto, Tensors]:
    nodes = [n("Resize", ["x", "", "scales"], ["y"], mode="nearest")]
    graph = model(
        nodes,
        [value("x", FLOAT, [1, 3, 24, 24])],
        [value("y", FLOAT, [1, 3, 48, 48])],
        [weight("scales", np.array([1, 1, 2, 2], np.float32))],
    )
    return graph, {"x": noise(1, 3, 24, 24)}


def transposed_convolution() -> tuple[ModelProto, Tensors]:
    nodes = [n("ConvTranspose", ["x", "w"], ["h"], strides=[2, 2]), n("Relu", ["h"], ["y"])]
    graph = model(
        nodes,
        [value("x", FLOAT, [1, 6, 10, 12])],
        [value("y", FLOAT, [1, 4, 21, 25])],
        [weight("w", noise(6, 4, 3, 3))],
    )
    return graph, {"x": noise(1, 6, 10, 12)}


def quantised() -> tuple[ModelProto, Tensors]:
    """A layer as quantising exporters write it: QDQ around a product."""
    whole = np.random.default_rng(1).integers(0, 255, (48, 32)).astype(np.uint8)
    nodes = [
        n("QuantizeLinear", ["x", "s", "z"], ["q"]),
        n("DequantizeLinear", ["q", "s", "z"], ["d"]),
        n("DequantizeLinear", ["w", "s", "z"], ["dw"]),
        n("MatMul", ["d", "dw"], ["h"]),
        n("QuantizeLinear", ["h", "s", "z"], ["r"]),
        n("DequantizeLinear", ["r", "s", "z"], ["y"]),
    ]
    weights = [
        weight("s", np.float32(0.03)), weight("z", np.uint8(120)), weight("w", whole)
    ]  # fmt: skip
    graph = model(nodes, [value("x", FLOAT, [4, 48])], [value("y", FLOAT, [4, 32])], weights)
    return graph, {"x": noise(4, 48)}


def attention() -> tuple[ModelProto, Tensors]:
    shape = [1, 2, 40, 16]
    inputs = [value(name, FLOAT, shape) for name in "qkv"]
    graph = model([n("Attention", ["q", "k", "v"], ["y"], is_causal=1)], inputs,
                  [value("y", FLOAT, shape)])  # fmt: skip
    graph.opset_import[0].version = 23
    return graph, {name: noise(*shape, seed=ord(name)) for name in "qkv"}


def uneven_attention() -> tuple[ModelProto, Tensors]:
    """Values of other sizes than keys, which two counts that always went together would hide."""
    sizes = {"q": [1, 2, 9, 64], "k": [1, 2, 40, 64], "v": [1, 2, 40, 5], "y": [1, 2, 9, 5]}
    shapes = {name: value(name, FLOAT, size) for name, size in sizes.items()}
    graph = model(
        [n("Attention", ["q", "k", "v"], ["y"])], [shapes[name] for name in "qkv"], [shapes["y"]]
    )
    graph.opset_import[0].version = 23
    return graph, {name: noise(*sizes[name], seed=ord(name)) for name in "qkv"}


def picked() -> tuple[ModelProto, Tensors]:
    """Columns of several rows: an index is checked once for all of them."""
    graph = model(
        [n("Gather", ["x", "i"], ["y"], axis=1)],
        [value("x", FLOAT, [40, 50]), value("i", TensorProto.INT64, [30])],
        [value("y", FLOAT, [40, 30])],
    )
    return graph, {"x": noise(40, 50), "i": np.arange(30)}


def one_column() -> tuple[ModelProto, Tensors]:
    """A product of many rows by one column."""
    graph = model([n("MatMul", ["x", "w"], ["y"])], [value("x", FLOAT, [1, 60, 90])],
                  [value("y", FLOAT, [1, 60, 1])], [weight("w", noise(90, 1))])  # fmt: skip
    return graph, {"x": noise(1, 60, 90)}


def converted(estimator: object) -> tuple[ModelProto, Tensors]:
    from skl2onnx import to_onnx  # noqa: PLC0415 - takes seconds

    x, y = noise(200, 8), noise(200, seed=6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator.fit(x, y)  # type: ignore[attr-defined]
        made = to_onnx(estimator, x[:1], target_opset={"": 18, "ai.onnx.ml": 3})
    return made, {"X": x[:1]}


def clusters() -> tuple[ModelProto, Tensors]:
    from sklearn.cluster import KMeans  # noqa: PLC0415

    return converted(KMeans(6, n_init=1, random_state=0))


def boosted() -> tuple[ModelProto, Tensors]:
    """Trees grown leaf by leaf, as LightGBM grows them."""
    from sklearn.ensemble import GradientBoostingRegressor  # noqa: PLC0415

    grown = {"n_estimators": 30, "max_leaf_nodes": 16, "max_depth": None, "random_state": 0}
    return converted(GradientBoostingRegressor(**grown))


MODELS: dict[str, Callable[[], tuple[ModelProto, Tensors]]] = {
    made.__name__: made
    for made in (
        *(imputer, resize, transposed_convolution, quantised),
        *(attention, uneven_attention, picked, one_column, clusters, boosted),
    )
}


def taken(file: Path, inputs: Tensors, variant: str = "simd") -> int:
    session = WasmEngine(VARIANTS[variant]).load(file)
    try:
        return session.run_costed(inputs).cost.fuel
    finally:
        session.close()


@pytest.mark.parametrize("name", MODELS)
async def test_what_is_charged_lies_within_a_tenth_of_the_run(name: str, tmp_path: Path) -> None:
    graph, inputs = MODELS[name]()
    file = saved(tmp_path, graph)
    charged = await Meter(file).usage({key: each.shape for key, each in inputs.items()})
    assert charged.fuel == pytest.approx(taken(file, inputs), rel=0.1)


def test_no_schedule_is_published_for_int8_and_nothing_is_guessed(tmp_path: Path) -> None:
    graph, inputs = one_column()
    file = saved(tmp_path, graph)
    variant = VARIANTS["int8"]
    fuel, steps = fuel_of(file, variant, translate(file, variant))
    assert steps == ("product",)
    assert fuel == pytest.approx(taken(file, inputs, "int8"), rel=0.001)
