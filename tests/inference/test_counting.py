"""Fuel of models with steps that no schedule tells: counted in one run, or refused by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnx_models import model, saved, value

from caimi.errors.inference import ModelNotRunnable
from caimi.inference import metering
from caimi.inference.calibration import load_rates
from caimi.inference.estimate import estimate
from caimi.inference.meter import Meter
from caimi.inference.metering import tell
from caimi.inference.wasm.engine import WasmEngine
from caimi.inference.wasm.fuel.schedule import published

FLOAT = TensorProto.FLOAT


@pytest.fixture
def unpriced(monkeypatch: pytest.MonkeyPatch) -> None:
    """A schedule without the price of a sign."""
    known = published("simd")
    assert known is not None
    prices = {name: price for name, price in known.prices.items() if not name.startswith("neg.")}
    fewer = replace(known, prices=prices)
    monkeypatch.setattr(metering, "published", lambda variant: fewer)


def taken(file: Path, inputs: dict[str, np.ndarray]) -> int:
    session = WasmEngine().load(file)
    try:
        return session.run_costed(inputs).cost.fuel
    finally:
        session.close()


def relu(rows: int | str) -> ModelProto:
    nodes = [helper.make_node("Relu", ["x"], ["h"]), helper.make_node("Neg", ["h"], ["y"])]
    return model(nodes, [value("x", FLOAT, [rows, 64])], [value("y", FLOAT, [rows, 64])])


@pytest.mark.usefixtures("unpriced")
def test_a_step_without_a_price_is_counted_and_not_guessed(tmp_path: Path) -> None:
    file = saved(tmp_path, relu("n"))
    x = np.random.default_rng(0).standard_normal((3, 64)).astype(np.float32)
    row = tell(file)
    assert row is not None
    assert row.usage.fuel * 3 == pytest.approx(taken(file, {"x": x}), rel=0.05)
    told = estimate(file, 3, load_rates(Path("/nonexistent/rates")))
    simd = next(engine for engine in told.engines if engine.name.endswith("/simd"))
    assert simd.counted == ("neg",)


def test_nothing_is_run_where_every_step_has_a_price(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> int:
        raise AssertionError("run without need")

    monkeypatch.setattr(metering, "counted_fuel", never)
    told = tell(saved(tmp_path, relu("n")))
    assert told is not None
    assert told.usage.fuel > 0


def test_a_model_that_noise_does_not_suit_is_refused_with_the_steps_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = published("simd")
    assert known is not None
    none = replace(known, prices={})
    monkeypatch.setattr(metering, "published", lambda variant: none)
    nodes = [
        helper.make_node("Sub", ["i", "far"], ["j"]),
        helper.make_node("Gather", ["t", "j"], ["y"]),
    ]
    weights = [
        numpy_helper.from_array(np.array(99), "far"),
        numpy_helper.from_array(np.ones(3, np.float32), "t"),
    ]
    graph = model(nodes, [value("i", TensorProto.INT64, [2])], [value("y", FLOAT, [2])], weights)
    with pytest.raises(ModelNotRunnable, match=r"does not tell .*gather\.vector.*, and a run"):
        tell(saved(tmp_path, graph), {"i": (2,)})


async def test_a_model_whose_rows_do_not_fit_one_is_told_by_its_shapes(tmp_path: Path) -> None:
    nodes = [helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[4, 4], strides=[4, 4])]
    graph = model(
        nodes, [value("x", FLOAT, [1, 1, "h", "w"])], [value("y", FLOAT, [1, 1, "a", "b"])]
    )
    usage = await Meter(saved(tmp_path, graph)).usage({"x": (1, 1, 8, 8)})
    assert usage.bytes_out == 16


async def test_a_meter_tells_of_a_process_apart_what_is_told_in_one(tmp_path: Path) -> None:
    for place, rows in enumerate(("n", 3)):
        (tmp_path / str(place)).mkdir()
        file = saved(tmp_path / str(place), relu(rows))
        told = tell(file) or tell(file, {"x": (3, 64)})
        assert told is not None
        each = 1 if rows == 3 else 3
        charged = await Meter(file).usage({"x": (3, 64)})
        assert charged.fuel == told.usage.fuel * each
