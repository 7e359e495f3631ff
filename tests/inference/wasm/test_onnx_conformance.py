"""A seeded tenth of the ONNX standard's node tests; `make onnx-conformance` plays all of them."""

from __future__ import annotations

import json
from copy import copy

import numpy as np
import pytest
from onnx import TensorProto, helper

from onnx_conformance.cases import TENTH_SEED, all_cases, operator, tenth
from onnx_conformance.judge import PASSED, REFUSED, WRONG, judge
from onnx_conformance.report import PAGE, RECORD

RECORDED = json.loads(RECORD.read_text())


@pytest.mark.parametrize("name", tenth())
def test_a_node_test_passes_or_is_refused_as_recorded(name: str):
    verdict = judge(all_cases()[name])
    wanted = REFUSED if name in RECORDED["refused"] else PASSED
    assert verdict.what == wanted, (
        f"{verdict.why or verdict.what}: `make onnx-conformance` writes the record anew"
    )


def test_the_tenth_is_fixed_and_a_tenth():
    assert TENTH_SEED == 20_261_121
    assert len(tenth()) == len(all_cases()) // 10
    assert len({operator(all_cases()[name]) for name in tenth()}) > 80


def test_the_record_has_every_case_and_the_page_its_counts():
    assert RECORDED["cases"] == len(all_cases())
    assert RECORDED["passed"] + len(RECORDED["refused"]) == RECORDED["cases"]
    assert RECORDED["passed"] >= 1_300
    assert f"**{RECORDED['passed']:,} pass" in PAGE.read_text()
    assert "0 are wrong" in PAGE.read_text()


def test_a_wrong_output_is_noticed():
    case = copy(all_cases()["test_abs"])
    inputs, outputs = case.data_sets[0]
    case.data_sets = [(inputs, [outputs[0] + np.float32(0.01)])]
    assert judge(case).what == WRONG


def test_an_error_without_a_name_is_noticed():
    case = copy(all_cases()["test_abs"])
    case.model = helper.make_model(
        helper.make_graph(
            [helper.make_node("Reshape", ["x", "s"], ["y"])],
            "g",
            [
                helper.make_tensor_value_info("x", TensorProto.FLOAT, [4]),
                helper.make_tensor_value_info("s", TensorProto.INT64, [1]),
            ],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [4])],
        ),
        opset_imports=[helper.make_opsetid("", 18)],
    )
    case.data_sets = [([np.zeros(4, "float32"), np.array([5])], [np.zeros(4, "float32")])]
    verdict = judge(case)
    assert (verdict.what, verdict.why) == (WRONG, "caimi_run gave 4")
