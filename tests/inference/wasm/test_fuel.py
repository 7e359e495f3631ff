"""Fuel told from a graph: near what a run takes, additive, and read from strict schedules."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caimi.errors.inference import ScheduleMalformed
from caimi.inference.wasm.compiling.compiler import VARIANTS, translate
from caimi.inference.wasm.engine import WasmEngine
from caimi.inference.wasm.fuel.convolutions import Convolution
from caimi.inference.wasm.fuel.kernels import kernel_work
from caimi.inference.wasm.fuel.products import Product
from caimi.inference.wasm.fuel.schedule import Schedule, published
from caimi.inference.wasm.fuel.work import Work
from caimi.zoo import MODELS, named

LIGHT = [model.name for model in MODELS if not model.heavy]
SIZES = st.integers(1, 600)


def schedule(variant: str = "simd") -> Schedule:
    found = published(variant)
    assert found is not None
    return found


def _error(name: str, variant: str, folder: Path) -> float:
    model = named(name)
    file = folder / f"{name}.onnx"
    file.write_bytes(model.build(0))
    told = schedule(variant).predict(translate(file, VARIANTS[variant]).emitted.works)
    assert told.unpriced == ()
    session = WasmEngine(VARIANTS[variant]).load(file)
    try:
        taken = session.run_costed(model.inputs(1, 3)).cost.fuel
    finally:
        session.close()
    return told.fuel / taken - 1


@pytest.mark.parametrize("name", LIGHT)
def test_fuel_is_told_within_a_tenth(name: str, tmp_path: Path) -> None:
    assert abs(_error(name, "simd", tmp_path)) < 0.1


@pytest.mark.parametrize("name", ["random_forest", "digits_cnn"])
def test_fuel_of_modules_without_simd_is_told_within_a_tenth(name: str, tmp_path: Path) -> None:
    assert abs(_error(name, "mvp", tmp_path)) < 0.1


@given(SIZES, SIZES, SIZES)
def test_a_model_costs_what_its_steps_cost(m: int, n: int, k: int) -> None:
    steps = [Product(1, m, n, k).work(), Product(1, k, m, n, ("bias",)).work()]
    both = schedule().predict(steps).fuel
    alone = [schedule().predict([step]).fuel for step in steps]
    assert abs(both - sum(alone) + schedule().run // 1000) <= 1


@given(SIZES, SIZES, SIZES)
def test_more_rows_and_longer_sums_are_never_cheaper(m: int, n: int, k: int) -> None:
    def cost(rows: int, terms: int) -> int:
        return schedule().predict([Product(1, rows, n, terms).work()]).fuel

    assert cost(m + 5, k) >= cost(m + 1, k)
    assert cost(m + 1, k + 16) >= cost(m + 1, k)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 30), st.sampled_from((1, 3, 5)))
def test_multiplies_are_those_of_the_operator(
    taken: int, given_channels: int, size: int, kernel: int
) -> None:
    shape = (1, size, size)
    pad = (0, kernel // 2, kernel // 2)
    ones = (1, 1, 1)
    work = Convolution(
        1, 1, taken, given_channels, shape, shape, (1, kernel, kernel), ones, ones, pad
    ).work()
    assert work.multiplies == taken * given_channels * size * size * kernel * kernel


def test_a_kernels_call_says_what_it_does() -> None:
    work = kernel_work(
        "caimi_add_f32(&(const caimi_broadcast){2, {3, 23}, {23, 1}, {0, 1}}, "
        "(const float *)a, (const float *)b, (float *)y);"
    )
    assert work.counts == {
        "add.call": 1,
        "add.row": 3,
        "add.block": 3,
        "add.quad": 3,
        "add.part": 3,
        "add.single": 9,
    }


def test_every_kernel_of_a_step_counts() -> None:
    copy = "caimi_copy_32(&(const caimi_view){1, {8}, {1}, {1}}, (const int32_t *)x, (int32_t *)y);"
    assert kernel_work(f"{copy}\n{copy}").counts["copy.quad"] == 4


def test_an_unknown_kind_is_named_and_charged_nothing() -> None:
    told = schedule().predict([Work.of("sorting", element=1000), Product(1, 4, 8, 16).work()])
    assert told.unpriced == ("sorting",)
    assert told.fuel == schedule().predict([Product(1, 4, 8, 16).work()]).fuel


def test_one_unknown_kind_beside_a_known_one_is_named_all_the_same() -> None:
    both = Product(1, 4, 8, 16).work().with_counts({"sorting.element": 7})
    assert schedule().predict([both]).unpriced == ("sorting",)


@pytest.mark.parametrize("variant", ["simd", "mvp", "f64"])
def test_published_schedules_are_of_the_engines_that_compile(variant: str) -> None:
    assert schedule(variant).engine == VARIANTS[variant].engine_id


def test_a_schedule_survives_encoding() -> None:
    assert Schedule.decode(schedule().encode()) == schedule()


@pytest.mark.parametrize(
    ("found", "wrong"),
    [
        (b'"version":2', b'"version":1'),
        (b'"unit":"1/1000 fuel"', b'"unit":"fuel"'),
        (b'"run":', b'"walk":'),
        (b'"prices":', b'"more":1,"prices":'),
        (b'"run":', b'"run":-'),
        (b'"engine":"caimi-wasm/', b'"engine":"wasm/'),
        (b'"abs.block":', b'"abs block":'),
        (b'"abs.block":', b'"abs.block":1'),
    ],
)
def test_a_schedule_is_read_strictly(found: bytes, wrong: bytes) -> None:
    data = schedule().encode()
    assert found in data
    if wrong == b'"abs.block":1':
        wrong = b'"abs.block":99999999999999,"abs.bloc":'
    with pytest.raises(ScheduleMalformed):
        Schedule.decode(data.replace(found, wrong))


def test_a_price_below_zero_is_none() -> None:
    with pytest.raises(ScheduleMalformed):
        replace(schedule(), prices={"add.row": -1})
