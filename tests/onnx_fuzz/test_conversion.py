"""What the standard's converter makes of old operators beside classical ones means the same."""

from __future__ import annotations

from random import Random

import numpy as np
import onnx
import pytest
from onnx import helper

from caimi.errors.inference import ModelNotRunnable
from caimi.inference.wasm.compiling.opsets import raise_opset
from onnx_fuzz.case import ML, Case, build
from onnx_fuzz.oracle import Oracles, Unanswered, difference
from onnx_fuzz.play import draw
from onnx_fuzz.unsettled import unsettled

DRAWN = 160
SEED = 20261130


def beside_a_classical_operator(case: Case) -> onnx.ModelProto:
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    scaler = helper.make_node(
        "Scaler", ["classical"], ["scaled"], domain=ML, scale=[2.0], offset=[0.0]
    )
    model.graph.node.append(scaler)
    for name, values in (("classical", model.graph.input), ("scaled", model.graph.output)):
        values.append(helper.make_tensor_value_info(name, 1, [1, 1]))
    return model


def differs(case: Case, oracles: Oracles) -> str:
    """Say how the converted model differs; raises `Unanswered` where nobody can tell."""
    if unsettled(case):
        raise Unanswered("unsettled")
    try:
        raised = raise_opset(beside_a_classical_operator(case))
    except ModelNotRunnable as error:
        raise Unanswered("refused") from error
    right = oracles.runtime(case.model, case.inputs)
    inputs = {**case.inputs, "classical": np.ones((1, 1), np.float32)}
    found = oracles.runtime(raised, inputs)
    if not all(isinstance(each, np.ndarray) for each in (*right, *found)):
        raise Unanswered("no tensors")
    return difference(right, found[:-1], 1.0)


def test_old_operators_mean_the_same_when_converted() -> None:
    random, oracles, compared = Random(SEED), Oracles(), 0
    try:
        for _ in range(DRAWN):
            case = draw(random, random.choice((7, 8, 9, 10, 11, 12)))
            try:
                apart = differs(case, oracles)
            except Unanswered:
                continue
            compared += 1
            assert not apart, f"{case.story}: {apart}"
    finally:
        oracles.close()
    assert compared > DRAWN // 2


def test_hardmax_takes_all_axes_from_the_given_one_on_as_one() -> None:
    x = np.random.default_rng(0).standard_normal((3, 4, 5)).astype(np.float32)
    oracles = Oracles()
    try:
        for opset in (7, 11, 12):
            for attributes in ({}, {"axis": 0}, {"axis": 2}):
                node = helper.make_node("Hardmax", ["x"], ["y"], **attributes)
                case = Case("Hardmax", "", build([node], {"x": x}, {}, ["y"], opset), {"x": x})
                assert not differs(case, oracles)
    finally:
        oracles.close()


def test_a_mask_of_dropout_is_refused_when_converted() -> None:
    x = np.ones(3, np.float32)
    node = helper.make_node("Dropout", ["x"], ["y", "m"])
    case = Case("Dropout", "", build([node], {"x": x}, {}, ["y", "m"], 10), {"x": x})
    with pytest.raises(ModelNotRunnable, match="mask"):
        raise_opset(beside_a_classical_operator(case))
