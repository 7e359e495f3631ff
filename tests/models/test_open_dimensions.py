"""Dimensions as exporters write them: open ones under no name, -1, or a whole formula."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from caimi.inference.onnx_engine import OnnxEngine
from caimi.inference.wasm.engine import WasmEngine
from caimi.models.package import Package
from caimi.models.tensor import UNKNOWN, open_dimension

FORMULA = "floor(floor(height/2 - 1/2)/2) + floor(floor(width/2 - 1/2)/2) + 1"


def saved(folder: Path, size: int | str) -> Path:
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [size, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [size, 2])],
    )
    file = folder / "model.onnx"
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 13)])
    file.write_bytes(model.SerializeToString())
    return file


@pytest.mark.parametrize("size", [-1, -7, FORMULA, "?n", " n", "a\nb", ""])
def test_a_dimension_of_no_name_of_ours_is_open_on_every_engine(size: int | str, tmp_path: Path):
    file = saved(tmp_path, size)
    x = np.array([[1, -1], [-2, 2], [3, 3]], np.float32)
    (declared,) = Package.from_path(file).inputs
    assert declared.shape == (UNKNOWN, 2)
    for engine in (OnnxEngine(), WasmEngine()):
        session = engine.load(file)
        assert session.inputs[0].shape == (UNKNOWN, 2)
        assert session.run({"x": x})["y"].tolist() == np.maximum(x, 0).tolist()
        close = getattr(session, "close", None)
        if close is not None:
            close()


def test_a_name_that_is_a_symbol_is_kept():
    assert open_dimension("batch_size") == "batch_size"
    assert open_dimension("s" * 64) == "s" * 64
    assert open_dimension("s" * 65) == UNKNOWN
