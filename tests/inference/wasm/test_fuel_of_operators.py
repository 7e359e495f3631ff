"""Every operator that the compiler takes: its steps have prices, or are listed as counted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx.defs
import pytest
from emx_onnx_cgen.lowering import load_lowering_registry
from emx_onnx_cgen.lowering.registry import _LOWERING_REGISTRY
from onnx import TensorProto, helper, numpy_helper

from caimi.errors.inference import ModelNotRunnable
from caimi.inference.wasm.compiling.compiler import translate
from caimi.inference.wasm.compiling.operator_calls import CALLS
from caimi.inference.wasm.compiling.variants import SIMD
from inference.onnx_models import model, saved, value
from onnx_conformance.cases import all_cases
from onnx_conformance.fuel import COUNTED, by_operator, schedule, untold, works
from onnx_conformance.report import RECORD

LISTED = frozenset(json.loads(COUNTED.read_text()))
REFUSED = frozenset(json.loads(RECORD.read_text())["refused"])
SEQUENCES = {"ConcatFromSequence", "SequenceAt", "SequenceConstruct", "SequenceErase"}
WITHOUT_NODE_TEST = {*SEQUENCES, "RandomUniform"}
"""The standard's operators that the generator lowers and no node test has."""


def test_every_operator_of_the_node_tests_is_told_or_listed() -> None:
    unlisted: dict[str, list[str]] = {}
    reached = 0
    for operator, names in by_operator().items():
        taken = [name for name in names if name not in REFUSED]
        for name in {*taken[:1], *taken[-1:]}:
            steps = works(name)
            assert steps is not None, name
            reached += 1
            missing = untold(steps) - LISTED
            if missing:
                unlisted[operator] = sorted(missing)
    assert reached > 200
    assert unlisted == {}, "`python -m onnx_conformance.fuel` writes the list anew"


def test_what_is_listed_has_a_count_that_is_not_priced_or_no_doubt() -> None:
    # Kinds may have prices for some of their counts only, such as for long rows and not for short.
    whole = [kind for kind in LISTED if kind in schedule().doubts]
    assert len(whole) < len(LISTED) / 4
    assert LISTED.isdisjoint({"product", "row", "conv", "depthwise", "attention"})


def test_the_generator_lowers_nothing_that_the_node_tests_do_not_reach() -> None:
    load_lowering_registry()
    standard = {entry.name for entry in onnx.defs.get_all_schemas() if not entry.deprecated}
    reached = {node.op_type for case in all_cases().values() for node in case.model.graph.node}
    assert (standard & set(_LOWERING_REGISTRY)) - reached == WITHOUT_NODE_TEST


@pytest.mark.parametrize("operator", sorted(WITHOUT_NODE_TEST - {"ConcatFromSequence"}))
def test_operators_without_a_node_test_do_not_compile(operator: str, tmp_path: Path) -> None:
    made = helper.make_node("SequenceConstruct", ["x", "x"], ["s"])
    nodes = {
        "SequenceAt": [made, helper.make_node(operator, ["s", "at"], ["y"])],
        "SequenceConstruct": [made, helper.make_node("SequenceAt", ["s", "at"], ["y"])],
        "SequenceErase": [
            made,
            helper.make_node(operator, ["s", "at"], ["t"]),
            helper.make_node("SequenceAt", ["t", "at"], ["y"]),
        ],
        "RandomUniform": [helper.make_node(operator, [], ["y"], shape=[2])],
    }[operator]
    at = numpy_helper.from_array(np.array(0), "at")
    x, y = (value(name, TensorProto.FLOAT, [2]) for name in "xy")
    file = saved(tmp_path, model(nodes, [x], [y], [at]))
    with pytest.raises(ModelNotRunnable):
        translate(file, SIMD)


def test_joining_a_sequence_is_a_copy_that_is_told(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("SequenceConstruct", ["x", "x"], ["s"]),
        helper.make_node("ConcatFromSequence", ["s"], ["y"], axis=0),
    ]
    x, y = (value(name, TensorProto.FLOAT, [size]) for name, size in (("x", 2), ("y", 4)))
    file = saved(tmp_path, model(nodes, [x], [y]))
    steps = translate(file, SIMD).emitted.works
    assert [step.kind for step in steps] == ["copy"]
    assert untold(steps) == set()


def test_every_kernel_of_ours_has_a_price_for_some_step() -> None:
    kinds = {kind.split(".")[0] for kind in schedule().doubts}
    assert len(CALLS) > 20
    wanted = {
        *("softmax", "log_softmax", "reduce_sum", "layer_norm", "rms_norm", "batch_norm"),
        *("group_norm", "max_pool", "average_pool", "copy", "attention", "gru", "lstm", "rnn"),
        *("add", "mul", "clip", "pow", "product", "row", "conv", "depthwise"),
    }
    assert wanted <= kinds
