"""A part of a batch with every test run, another one with every change of the compiler."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from onnx import helper

from caimi.inference.wasm.compiling.compiler import fingerprint
from caimi.inference.wasm.compiling.variants import SIMD
from onnx_conformance.module_runner import Stopped
from onnx_fuzz import play as playing
from onnx_fuzz.case import Case, build, merged
from onnx_fuzz.oracle import Oracles, Unanswered, difference
from onnx_fuzz.play import Played, draw, module_outputs, play
from onnx_fuzz.record import PAGE, is_clean, next_seed, row

SLICE = 48
ONE = np.ones(3, np.float32)


def negated() -> Case:
    return Case(
        "Neg",
        "",
        build([helper.make_node("Neg", ["x"], ["y"])], {"x": ONE}, {}, ["y"], 13),
        {"x": ONE},
    )


def test_no_answer_of_a_part_of_a_batch_is_wrong() -> None:
    seed = 1_000_000 + int.from_bytes(fingerprint(SIMD)[:4])
    print(f"again: play({seed}, {SLICE})")
    played = play(seed, SLICE)
    assert not played.wrong
    assert not played.faults
    assert played.agreed.total() > SLICE // 2


def test_a_batch_is_a_pure_function_of_its_seed() -> None:
    first, second = (
        [draw(random, 13) for _ in range(8)] for random in (Random("a seed"), Random("a seed"))
    )
    assert [case.story for case in first] == [case.story for case in second]
    assert [case.model for case in first] == [case.model for case in second]


def test_a_module_that_gives_no_answer_is_wrong_case_by_case(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stopped(*_: object) -> None:
        raise Stopped(-1, "trap")

    monkeypatch.setattr(playing, "module_outputs", stopped)
    monkeypatch.setattr(playing, "draw", lambda *_: negated())
    assert len(play(1, 3).wrong) == 3


def test_another_answer_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playing, "module_outputs", lambda cases, _: {p: [ONE] for p in cases})
    monkeypatch.setattr(playing, "draw", lambda *_: negated())
    assert len(play(1, 2).wrong) == 2


def test_a_fault_of_ours_is_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AttributeError("output")

    monkeypatch.setattr(playing, "translate", fail)
    monkeypatch.setattr(playing, "draw", lambda *_: negated())
    played = play(1, 2)
    assert len(played.faults) == 2
    assert not played.refused


def test_an_oracle_that_dies_is_started_again() -> None:
    oracles = Oracles()
    try:
        assert oracles.runtime(negated().model, {"x": ONE})[0].tolist() == [-1, -1, -1]
        assert oracles._process is not None
        oracles._process.kill()
        oracles._process.wait()
        with pytest.raises(Unanswered):
            oracles.runtime(negated().model, {"x": ONE})
        assert oracles.runtime(negated().model, {"x": ONE})[0].tolist() == [-1, -1, -1]
    finally:
        oracles.close()


@pytest.mark.parametrize(
    ("right", "ours", "same"),
    [
        (np.array([1.0], "float32"), np.array([1.00001], "float32"), True),
        (np.array([1.0], "float32"), np.array([1.001], "float32"), False),
        (np.array([np.inf], "float32"), np.array([3e38], "float32"), False),
        (np.array([np.nan], "float32"), np.array([np.nan], "float32"), True),
        (np.array([np.nan], "float32"), np.array([0.0], "float32"), False),
        (np.array([np.inf], "float16"), np.array([65504], "float16"), True),
        (np.array([1.0], "float16"), np.array([0.5], "float16"), False),
        (np.array([1], "int8"), np.array([2], "int8"), False),
        (np.array([1], "int64"), np.array([1], "int64"), True),
        (np.array([True], "bool"), np.array([False], "bool"), False),
        (np.array([1.0], "float32"), np.array([1.0], "float64"), False),
        (np.array([1.0], "float32"), np.array([[1.0]], "float32"), False),
    ],
)
def test_what_counts_as_the_same(right: np.ndarray, ours: np.ndarray, same: bool) -> None:
    assert (difference([right], [ours], 1.0) == "") is same


def test_quantised_bytes_may_be_neighbours() -> None:
    assert not difference([np.array([1], "int8")], [np.array([2], "int8")], 1.0, rounded=True)
    assert difference([np.array([1], "int8")], [np.array([3], "int8")], 1.0, rounded=True)


def test_cases_of_one_module_share_no_name() -> None:
    cases = {"a.": negated(), "b.": negated()}
    names = [value.name for value in merged(cases, 13).graph.output]
    assert names == ["a.y", "b.y"]
    assert {len(outputs) for outputs in module_outputs(cases, 13).values()} == {1}


def test_the_next_range_begins_where_the_last_ends() -> None:
    page = "| 0 to 9 | 5 |\n| 10 to 19 | 6 |\n"
    assert next_seed(page) == 20
    assert next_seed("no range") == 0
    whole = [Played(20), Played(21, wrong=["one"])]
    assert next_seed(page + row(whole)) == 22
    assert not is_clean(whole)


def test_the_page_has_the_ranges_that_were_played() -> None:
    assert next_seed(PAGE.read_text()) > 0
