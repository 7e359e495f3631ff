"""Fuel told from a graph: near what a run takes, additive, and read from strict schedules."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from caimi.errors.inference import ScheduleMalformed
from caimi.inference.metering import fuel_of
from caimi.inference.wasm.compiling.compiler import translate
from caimi.inference.wasm.compiling.variants import VARIANTS
from caimi.inference.wasm.engine import WasmEngine
from caimi.inference.wasm.fuel.convolutions import Convolution
from caimi.inference.wasm.fuel.kernels import kernel_work
from caimi.inference.wasm.fuel.products import Product
from caimi.inference.wasm.fuel.schedule import Schedule, published
from caimi.inference.wasm.fuel.work import Work
from onnx_fuzz.case import build
from zoo import MODELS, named

LIGHT = [model.name for model in MODELS if not model.heavy]
NETWORKS = ("perceptron", "autoencoder", "digits_cnn", "digits_cnn_1d", "digits_gru")
SIZES = st.integers(1, 600)


def schedule(variant: str = "simd") -> Schedule:
    found = published(variant)
    assert found is not None
    return found


def _error(name: str, variant: str, folder: Path) -> float:
    model = named(name)
    file = folder / f"{name}.onnx"
    file.write_bytes(model.build(0))
    fuel, _ = fuel_of(file, VARIANTS[variant], translate(file, VARIANTS[variant]))
    session = WasmEngine(VARIANTS[variant]).load(file)
    try:
        taken = session.run_costed(model.inputs(1, 3)).cost.fuel
    finally:
        session.close()
    return fuel / taken - 1


@pytest.mark.parametrize("name", LIGHT)
def test_fuel_is_told_within_a_tenth(name: str, tmp_path: Path) -> None:
    assert abs(_error(name, "simd", tmp_path)) < 0.1


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_are_told_and_not_counted(name: str, tmp_path: Path) -> None:
    file = tmp_path / f"{name}.onnx"
    file.write_bytes(named(name).build(0))
    assert schedule().predict(translate(file, VARIANTS["simd"]).emitted.works).untold == ()


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


@pytest.mark.parametrize(("causal", "seen"), [(0, 40), (1, 10)])
def test_attention_is_counted_by_what_each_query_sees(causal: int, seen: int) -> None:
    work = kernel_work(
        f"caimi_attention_f32(&(const caimi_attention){{1, 1, 1, 4, 10, 16, 20, {causal}, "
        "{64, 64, 16}, {160, 160, 16}, {200, 200, 20}, {80, 80, 20}, {0, 0, 0}, 0}, "
        "0x1.0p-2f, (const float *)q, (const float *)k, (const float *)v, (const float *)0, "
        "(const uint8_t *)0, (float *)y);"
    )
    assert work.counts["attention.row"] == work.counts["attention.block"] == seen
    assert work.counts["attention.weigh"] == work.counts["attention.weigh_quad"] == seen
    assert work.counts["attention.softmax_row"] == work.counts["attention.query"] == 4
    assert "attention.masked" not in work.counts


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
    assert told.untold == ("sorting",)
    assert told.fuel == schedule().predict([Product(1, 4, 8, 16).work()]).fuel


def test_one_unknown_kind_beside_a_known_one_is_named_all_the_same() -> None:
    both = Product(1, 4, 8, 16).work().with_counts({"sorting.element": 7})
    assert schedule().predict([both]).untold == ("sorting",)


def doubted(share: int) -> tuple[str, ...]:
    """Name what is untold of a product, sure, and `share` thousandths of it of a doubtful kind."""
    known = Schedule(
        "caimi-wasm/2/simd",
        {"product.step": 1000, "sorting.element": 1000},
        {"product": 0, "sorting": 500},
    )
    works = [Work.of("product", step=1_000_000), Work.of("sorting", element=1000 * share)]
    return known.predict(works).untold


def test_a_doubt_over_a_tenth_of_the_whole_is_named_and_a_smaller_one_is_not() -> None:
    assert doubted(240) == ()
    assert doubted(260) == ("sorting",)


def test_a_kind_without_a_doubt_is_not_told_whatever_its_prices() -> None:
    known = replace(schedule(), doubts={})
    assert known.predict([Product(1, 4, 8, 16).work()]).untold == ("product",)


@pytest.mark.parametrize("variant", ["simd", "mvp", "f64"])
def test_fetching_a_weight_has_one_price_whatever_step_reads_it(variant: str) -> None:
    assert schedule(variant).prices["weight.fetch"] == 11_000


@pytest.mark.parametrize("variant", ["simd", "mvp", "f64"])
def test_published_schedules_are_of_the_engines_that_compile(variant: str) -> None:
    assert schedule(variant).engine == VARIANTS[variant].engine_id


def test_a_schedule_survives_encoding() -> None:
    assert Schedule.decode(schedule().encode()) == schedule()


@pytest.mark.parametrize(
    ("found", "wrong"),
    [
        (b'"version":3', b'"version":2'),
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


@pytest.mark.parametrize("doubts", [{"add": -1}, {"add": 1_000_001}, {"add sub": 1}])
def test_a_doubt_out_of_form_or_range_is_none(doubts: dict[str, int]) -> None:
    with pytest.raises(ScheduleMalformed):
        replace(schedule(), doubts=doubts)


@pytest.mark.parametrize("variant", ["simd", "mvp", "f64"])
def test_a_long_copy_costs_what_it_copies(variant: str, tmp_path: Path) -> None:
    """It is one instruction with bulk memory, and takes fuel for every byte."""
    schedule = published(variant)
    assert schedule is not None
    for words in (257, 4_096, 65_536):
        x = {"x": np.ones((5, words + 7), np.float32)}
        ends = {name: np.array([at]) for name, at in (("a", 3), ("b", words + 3), ("c", 1))}
        node = helper.make_node("Slice", ["x", *ends], ["y"])
        file = tmp_path / f"{words}.onnx"
        file.write_bytes(build([node], x, ends, ["y"], 16).SerializeToString())
        told = schedule.predict(translate(file, VARIANTS[variant]).emitted.works)
        session = WasmEngine(VARIANTS[variant]).load(file)
        try:
            taken = session.run_costed(x).cost.fuel
        finally:
            session.close()
        assert not told.untold
        assert told.fuel == pytest.approx(taken, rel=0.05)
