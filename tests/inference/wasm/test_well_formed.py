"""What ONNX's checker passes over, and its inference dies of, is refused before."""

from __future__ import annotations

from typing import Any

import pytest
from onnx import GraphProto, ModelProto, TensorProto, helper

from caimi.errors.inference import ModelNotRunnable
from caimi.inference.wasm.compiling.well_formed import check_well_formed

FLOAT = TensorProto.FLOAT


def split(asked: int, outputs: int) -> Any:
    names = [f"y{place}" for place in range(outputs)]
    return helper.make_node("Split", ["x"], names, num_outputs=asked)


def graph(nodes: list[Any], inputs: list[Any]) -> GraphProto:
    outputs = [helper.make_tensor_value_info("y0", FLOAT, None)]
    return helper.make_graph(nodes, "g", inputs, outputs)


def model(node: Any) -> ModelProto:
    return helper.make_model(graph([node], [helper.make_tensor_value_info("x", FLOAT, [6])]))


@pytest.mark.parametrize("asked", [0, 2, 4, 2**40])
def test_a_split_into_other_outputs_than_it_is_asked_for_is_refused(asked: int) -> None:
    """ONNX's inference of it ends the process."""
    with pytest.raises(ModelNotRunnable, match=f"Split into {asked} has 3 outputs"):
        check_well_formed(model(split(asked, 3)))
    check_well_formed(model(split(3, 3)))


def test_a_split_within_a_branch_is_found() -> None:
    branches = {
        "then_branch": graph([split(2, 3)], []),
        "else_branch": graph([split(3, 3)], []),
    }
    with pytest.raises(ModelNotRunnable, match="Split into 2"):
        check_well_formed(model(helper.make_node("If", ["x"], ["y0"], **branches)))
